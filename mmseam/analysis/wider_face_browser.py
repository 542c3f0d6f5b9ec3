"""Draws the faces of a WIDER FACE split, colored by how much of them is covered."""
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

#: BGR colors by occlusion label; the last is that of ignored faces.
COLORS = ((80, 200, 60), (0, 215, 255), (40, 40, 230), (170, 170, 170))
LABELS = ('not covered', 'partly covered', 'heavily covered', 'ignored')
_IGNORED = 3
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_ROW, _MARGIN = 20, 6
_SMALL = 800  # pixels; images of half that are enlarged


def browse_wider_face(root: Union[str, os.PathLike],
                      split: str,
                      out_dir: Union[str, os.PathLike],
                      num: int = 20,
                      expression: Optional[str] = None,
                      show: bool = False) -> List[Path]:
    """Draw images of a split, evenly spread over those with faces that the expression selects.

    Args:
        root (str | os.PathLike): Folder that holds ``wider_face_split`` and ``WIDER_<split>/images``.
        split (str): ``train`` or ``val``.
        out_dir (str | os.PathLike): Folder to write ``event/name.jpg`` into.
        num (int): Number of images, at most. Defaults to 20.
        expression (str, optional): Which faces to draw, see
            :mod:`~mmseam.evaluation.functional.wider_face.slices`. Defaults to None, which draws all faces.
        show (bool): Also show each in a window until a key is pressed (``q`` ends). Defaults to False.

    Returns:
        List[Path]: The pictures written.

    Raises:
        FileNotFoundError: There is no annotation file, or none of the images that were looked for.
        ValueError: The annotation file or the expression is malformed, or no image has such a face.
        OSError: An image is unreadable.
    """
    ann_file = Path(root, 'wider_face_split', f'wider_face_{split}_bbx_gt.txt')
    names, truth = read_wider_face_annotations(ann_file).file_names, ground_truth_from_annotations(ann_file)
    keep = select_faces(truth, {'': expression})[''] if expression else np.ones(truth.num_faces, dtype=bool)
    written = []
    for place in tqdm(_choose(truth, keep, names, Path(root, f'WIDER_{split}', 'images'), num), unit='img'):
        image = LoadIntactImage().transform(dict(img_path=str(Path(root, f'WIDER_{split}', 'images', names[place]))))
        faces = np.arange(truth.offsets[place], truth.offsets[place + 1])
        title = f'{names[place]}: {np.count_nonzero(keep[faces])} of {len(faces)} faces'
        picture = draw_faces(image['img'], truth.boxes[faces[keep[faces]]], _color_index(truth)[faces[keep[faces]]],
                             [title, *([expression] if expression else [])])
        written.append(Path(out_dir, names[place]))
        write_image(written[-1], picture)
        if show and not _show(picture):
            break
    return written


def draw_faces(image: np.ndarray, boxes: np.ndarray, kinds: np.ndarray, captions: List[str]) -> np.ndarray:
    """Draw boxes, and below the image what their colors mean.

    Args:
        image (np.ndarray): Pixels (H, W, 3), BGR.
        boxes (np.ndarray): Shape (n, 4), left, top, width, height in pixels.
        kinds (np.ndarray): Shape (n,), place in :data:`COLORS`.
        captions (List[str]): Lines of text below the image.

    Returns:
        np.ndarray: The picture, as wide as the image and higher; small images are enlarged by a whole factor.
    """
    factor = max(1, _SMALL // max(image.shape[:2]))
    picture = image.repeat(factor, axis=0).repeat(factor, axis=1)
    # Ignored ones first, so that they cover no others.
    for row in np.argsort(-kinds, kind='stable'):
        left, top, width, height = (factor * boxes[row]).round().astype(int).tolist()
        thickness = 1 if kinds[row] == _IGNORED else 2
        cv2.rectangle(picture, (left, top), (left + width, top + height), COLORS[kinds[row]], thickness)
    counts = np.bincount(kinds, minlength=len(LABELS))
    entries = [(f'{label}: {count}', color) for label, count, color in zip(LABELS, counts, COLORS)]
    entries = [(caption, None) for caption in captions] + entries
    return np.vstack([picture, _legend(entries, picture.shape[1])])


def _color_index(truth: WIDERFaceGroundTruth) -> np.ndarray:
    """Occlusion of each face, or that it is ignored: marked invalid or of zero size."""
    ignored = (truth.attributes['invalid'] == 1) | (truth.boxes[:, 2:] <= 0).any(axis=1)
    return np.where(ignored, _IGNORED, truth.attributes['occlusion'].clip(0, _IGNORED - 1))


def _choose(truth: WIDERFaceGroundTruth, keep: np.ndarray, names: List[str], folder: Path, num: int) -> List[int]:
    """Places of images that are there and have a face to draw."""
    chosen = np.unique(truth.face_image()[keep]).tolist()
    if not chosen:
        raise ValueError('no face of the split is selected by that filter')
    present = [place for place in chosen if (folder / names[place]).is_file()]
    if not present:
        raise FileNotFoundError(f'none of the {len(chosen)} images is in {folder}, for example {names[chosen[0]]}')
    spread = np.unique(np.linspace(0, len(present) - 1, min(num, len(present))).round().astype(int))
    return [present[index] for index in spread]


def _legend(entries: List[Tuple[str, Optional[tuple]]], width: int) -> np.ndarray:
    """A dark strip with the entries; those without a color fill a line of their own."""
    placed = list(_place(entries, width))
    strip = np.full((placed[-1][1] + _MARGIN, width, 3), 30, dtype=np.uint8)
    for (text, color), (left, bottom) in zip(entries, placed):
        if color:
            cv2.rectangle(strip, (left, bottom - 11), (left + 11, bottom), color, cv2.FILLED)
            left += 17
        scale = min(.45, .45 * (width - left - _MARGIN) / cv2.getTextSize(text, _FONT, .45, 1)[0][0])
        cv2.putText(strip, text, (left, bottom), _FONT, scale, (235, 235, 235), 1, cv2.LINE_AA)
    return strip


def _place(entries: List[Tuple[str, Optional[tuple]]], width: int) -> Iterator[Tuple[int, int]]:
    """Left and bottom of each entry, in lines that are as wide as the strip."""
    left, bottom = _MARGIN, _ROW - 4
    for text, color in entries:
        needed = width if color is None else cv2.getTextSize(text, _FONT, .45, 1)[0][0] + 40
        if left > _MARGIN and left + needed > width:
            left, bottom = _MARGIN, bottom + _ROW
        yield left, bottom
        left += needed


def _show(picture: np.ndarray) -> bool:
    """Whether to go on after this picture."""
    cv2.imshow('WIDER FACE', picture)
    return cv2.waitKey(0) & 0xFF not in (ord('q'), 27)
