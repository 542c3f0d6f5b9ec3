"""Draw the faces of a WIDER FACE split, colored by occlusion."""
import os
from pathlib import Path
from typing import Iterator, List, Optional, Tuple, Union

import cv2
import numpy as np
from tqdm import tqdm

from mmseam.datasets.transforms import LoadIntactImage
from mmseam.datasets.wider_face.annotations import read_wider_face_annotations
from mmseam.evaluation.functional import WIDERFaceGroundTruth, ground_truth_from_annotations, select_faces
from mmseam.inference.media import write_image

#: BGR colors by occlusion label; the last one is for ignored faces.
COLORS = ((80, 200, 60), (0, 215, 255), (40, 40, 230), (170, 170, 170))
LABELS = ('not occluded', 'partially occluded', 'heavily occluded', 'ignored')
_IGNORED = 3
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_ROW, _MARGIN = 20, 6
_SMALL = 800  # pixels; images up to half this size are enlarged


def browse_wider_face(root: Union[str, os.PathLike],
                      split: str,
                      out_dir: Union[str, os.PathLike],
                      num: int = 20,
                      expression: Optional[str] = None,
                      show: bool = False) -> List[Path]:
    """Draw images of a split, evenly spaced among those with a selected face.

    Args:
        root (str | os.PathLike): Folder with ``wider_face_split`` and ``WIDER_<split>/images``.
        split (str): ``train`` or ``val``.
        out_dir (str | os.PathLike): Folder to write ``event/name.jpg`` into.
        num (int): Maximum number of images. Defaults to 20.
        expression (str, optional): Selects the faces to draw, see
            :mod:`~mmseam.evaluation.functional.wider_face.slices`. Defaults to None: all faces.
        show (bool): Also show each image in a window until a key is pressed (``q`` quits). Defaults to False.

    Returns:
        List[Path]: The files written.

    Raises:
        FileNotFoundError: The annotation file or all of the selected images are missing.
        ValueError: The annotation file or the expression is malformed, or no face is selected.
        OSError: An image is unreadable.
    """
    ann_file = Path(root, 'wider_face_split', f'wider_face_{split}_bbx_gt.txt')
    names, truth = read_wider_face_annotations(ann_file).file_names, ground_truth_from_annotations(ann_file)
    keep = select_faces(truth, {'': expression})[''] if expression else np.ones(truth.num_faces, dtype=bool)
    written = []
    for index in tqdm(_choose(truth, keep, names, Path(root, f'WIDER_{split}', 'images'), num), unit='img'):
        image = LoadIntactImage().transform(dict(img_path=str(Path(root, f'WIDER_{split}', 'images', names[index]))))
        faces = np.arange(truth.offsets[index], truth.offsets[index + 1])
        title = f'{names[index]}: {np.count_nonzero(keep[faces])} of {len(faces)} faces'
        drawing = draw_faces(image['img'], truth.boxes[faces[keep[faces]]], _color_index(truth)[faces[keep[faces]]],
                             [title, *([expression] if expression else [])])
        written.append(Path(out_dir, names[index]))
        write_image(written[-1], drawing)
        if show and not _show(drawing):
            break
    return written


def draw_faces(image: np.ndarray, boxes: np.ndarray, color_ids: np.ndarray, captions: List[str]) -> np.ndarray:
    """Draw boxes and a color legend below the image.

    Args:
        image (np.ndarray): Pixels (H, W, 3), BGR.
        boxes (np.ndarray): Shape (n, 4), left, top, width, height in pixels.
        color_ids (np.ndarray): Shape (n,), indices in :data:`COLORS`.
        captions (List[str]): Lines of text below the image.

    Returns:
        np.ndarray: The drawing with the legend; small images are enlarged by an integer factor.
    """
    factor = max(1, _SMALL // max(image.shape[:2]))
    drawing = image.repeat(factor, axis=0).repeat(factor, axis=1)
    # Ignored faces first, so that they do not hide others
    for row in np.argsort(-color_ids, kind='stable'):
        left, top, width, height = (factor * boxes[row]).round().astype(int).tolist()
        thickness = 1 if color_ids[row] == _IGNORED else 2
        cv2.rectangle(drawing, (left, top), (left + width, top + height), COLORS[color_ids[row]], thickness)
    counts = np.bincount(color_ids, minlength=len(LABELS))
    entries = [(f'{label}: {count}', color) for label, count, color in zip(LABELS, counts, COLORS)]
    entries = [(caption, None) for caption in captions] + entries
    return np.vstack([drawing, _legend(entries, drawing.shape[1])])


def _color_index(truth: WIDERFaceGroundTruth) -> np.ndarray:
    """Return the occlusion label of each face; faces marked invalid or of zero size are ignored."""
    ignored = (truth.attributes['invalid'] == 1) | (truth.boxes[:, 2:] <= 0).any(axis=1)
    return np.where(ignored, _IGNORED, truth.attributes['occlusion'].clip(0, _IGNORED - 1))


def _choose(truth: WIDERFaceGroundTruth, keep: np.ndarray, names: List[str], folder: Path, num: int) -> List[int]:
    """Return indices of existing images with a face to draw."""
    chosen = np.unique(truth.face_image()[keep]).tolist()
    if not chosen:
        raise ValueError('the filter selects no face of the split')
    present = [index for index in chosen if (folder / names[index]).is_file()]
    if not present:
        raise FileNotFoundError(f'none of the {len(chosen)} images is in {folder}, for example {names[chosen[0]]}')
    spread = np.unique(np.linspace(0, len(present) - 1, min(num, len(present))).round().astype(int))
    return [present[index] for index in spread]


def _legend(entries: List[Tuple[str, Optional[tuple]]], width: int) -> np.ndarray:
    """Draw the entries on a dark strip; those without a color take a complete line."""
    placed = list(_layout(entries, width))
    strip = np.full((placed[-1][1] + _MARGIN, width, 3), 30, dtype=np.uint8)
    for (text, color), (left, bottom) in zip(entries, placed):
        if color:
            cv2.rectangle(strip, (left, bottom - 11), (left + 11, bottom), color, cv2.FILLED)
            left += 17
        scale = min(.45, .45 * (width - left - _MARGIN) / cv2.getTextSize(text, _FONT, .45, 1)[0][0])
        cv2.putText(strip, text, (left, bottom), _FONT, scale, (235, 235, 235), 1, cv2.LINE_AA)
    return strip


def _layout(entries: List[Tuple[str, Optional[tuple]]], width: int) -> Iterator[Tuple[int, int]]:
    """Yield left and bottom of each entry, wrapped to the width of the strip."""
    left, bottom = _MARGIN, _ROW - 4
    for text, color in entries:
        needed = width if color is None else cv2.getTextSize(text, _FONT, .45, 1)[0][0] + 40
        if left > _MARGIN and left + needed > width:
            left, bottom = _MARGIN, bottom + _ROW
        yield left, bottom
        left += needed


def _show(drawing: np.ndarray) -> bool:
    """Show a drawing until a key is pressed; return whether to continue."""
    cv2.imshow('WIDER FACE', drawing)
    return cv2.waitKey(0) & 0xFF not in (ord('q'), 27)
