"""Detections of one image."""
import dataclasses
import json
import operator
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, SupportsIndex, Tuple, Union

import numpy as np

from mmseam.utils.atomic_write import atomic_write
from mmseam.utils.optional_package import require_package

from .drawing import draw_detections
from .media import read_image, write_image

#: Columns of tables with a row per detection
COLUMNS = ('image', 'frame', 'name', 'label', 'score', 'x1', 'y1', 'x2', 'y2')


@dataclasses.dataclass(eq=False, repr=False)
class DetectionResult:
    """Detections of one image, sorted by descending score.

    Args:
        boxes (np.ndarray): x1, y1, x2, y2 in pixels of the original image, unrounded, float32 (N, 4).
        scores (np.ndarray): In [0, 1], float32 (N,).
        labels (np.ndarray): Indices into ``classes``, int64 (N,).
        classes (Tuple[str, ...]): Names of the classes.
        size (Tuple[int, int]): Height and width of the image in pixels.
        name (str): Name of the image: its path, or its index in a list.
        path (Path, optional): The image or video file. Defaults to None: not read from a file.
        frame (int, optional): Zero-based frame index in a video or from a webcam. Defaults to None.
        speed (Dict[str, float]): Milliseconds of ``load`` (reading and decoding), ``preprocess`` (resizing, padding,
            normalization), ``forward`` (the network) and ``postprocess`` (decoding, NMS), averaged over the batch. With
            several workers the stages of different images overlap.
        pixels (np.ndarray, optional): (H, W, 3), BGR. Defaults to None: :attr:`image` reads the file.
        error (str, optional): Why the image could not be read; there are no detections then, and the size is (0, 0).
            Defaults to None.
    """
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: Tuple[str, ...]
    size: Tuple[int, int]
    name: str
    path: Optional[Path] = None
    frame: Optional[int] = None
    speed: Dict[str, float] = dataclasses.field(default_factory=dict)
    pixels: Optional[np.ndarray] = None
    error: Optional[str] = None

    @classmethod
    def failed(cls, name: str, path: Optional[Path], error: str, classes: Tuple[str, ...]) -> 'DetectionResult':
        """Return the empty result of an image that could not be read."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), classes, (0, 0), name,
                   path, error=error)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: Union[SupportsIndex, slice, Sequence, np.ndarray]) -> 'DetectionResult':
        """Select detections: ``result[0]``, ``result[:5]``, ``result[result.scores > .5]``.

        Raises:
            IndexError: The index is out of range.
        """
        try:
            index = operator.index(which)  # type: ignore[arg-type]  # also NumPy and PyTorch integers
        except TypeError:
            pass
        else:
            if not -len(self) <= index < len(self):
                raise IndexError(f'there is no detection {index}: {self.name} has {len(self)}')
            which = slice(index, index + 1 or None)
        return dataclasses.replace(self, boxes=self.boxes[which], scores=self.scores[which], labels=self.labels[which])

    def __repr__(self) -> str:
        if self.error:
            return f'DetectionResult({self.error})'
        title = self.name if self.frame is None else f'{self.name}, frame {self.frame}'
        found = ', '.join(f'{name} {number}' for name, number in Counter(self.class_names).most_common())
        best = f' (best score {self.scores.max():.2f})' if len(self) else ''
        return f'DetectionResult({title}, {self.size[1]}x{self.size[0]}: {found or "nothing found"}{best})'

    @property
    def names(self) -> Dict[int, str]:
        """dict[int, str]: Class names by label, of all classes."""
        return dict(enumerate(self.classes))

    @property
    def class_names(self) -> List[str]:
        """list[str]: Class name of each detection."""
        return [self.classes[label] for label in self.labels]

    @property
    def image(self) -> np.ndarray:
        """np.ndarray: Pixels (H, W, 3), BGR, of the original image.

        Raises:
            ValueError: The result is of a video frame whose pixels were not kept.
            OSError: The file cannot be read.
        """
        if self.pixels is not None:
            return self.pixels
        if self.path is None or self.frame is not None:
            raise ValueError(f'the pixels of {self.name} were not kept; draw while iterating over .stream()')
        return read_image(self.path)

    def without_pixels(self) -> 'DetectionResult':
        """Return a copy without the image, to save memory."""
        return dataclasses.replace(self, pixels=None)

    def filter(self, score_thr: float) -> 'DetectionResult':
        """Return the detections with at least this score."""
        return self[self.scores >= score_thr]

    def plot(self) -> np.ndarray:
        """Draw the detections on a new image (H, W, 3), BGR."""
        return draw_detections(self.image, self.boxes, self.scores, self.labels, self.classes)

    def save(self, path: Union[str, Path]) -> Path:
        """Write the image returned by :meth:`plot`.

        Args:
            path (str or Path): The file; its suffix selects the format. Its folder is created if needed.

        Returns:
            Path: The file.

        Raises:
            ValueError: OpenCV does not support the format.
        """
        write_image(Path(path), self.plot())
        return Path(path)

    def crop(self) -> List[np.ndarray]:
        """Cut the detections out of the image.

        Returns:
            List[np.ndarray]: Copies of the pixels (h, w, 3), BGR, of each box, rounded outwards; at least one pixel.

        Raises:
            ValueError, OSError: As for :attr:`image`.
        """
        if not len(self):
            return []
        image = self.image
        first = np.floor(self.boxes[:, :2]).clip(0, np.array(self.size[::-1]) - 1).astype(int)
        last = np.maximum(np.ceil(self.boxes[:, 2:]).astype(int), first + 1)
        return [image[y1:y2, x1:x2].copy() for (x1, y1), (x2, y2) in zip(first, last)]

    def save_txt(self, path: Union[str, Path], save_conf: bool = False) -> Path:
        """Write a YOLO label file: class, center x, center y, width and height as fractions of the image.

        Args:
            path (str or Path): The file.
            save_conf (bool): Whether to append the score to each line. Defaults to False.

        Returns:
            Path: The file; without detections, it is empty.
        """
        boxes = self.boxes / np.array(self.size[::-1] * 2) if len(self) else self.boxes
        rows = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)
        scores = [f' {score:.6f}' if save_conf else '' for score in self.scores]
        with atomic_write(path) as file:
            for label, row, score in zip(self.labels, rows, scores):
                file.write(f'{label} ' + ' '.join(f'{value:.6f}' for value in row) + f'{score}\n')
        return Path(path)

    def to_df(self) -> Any:
        """Return a ``pandas.DataFrame`` with a row per detection and the columns of the CSV files.

        Raises:
            ModuleNotFoundError: pandas, which is optional, is not installed.
        """
        pandas = require_package('pandas', 'pip install pandas')
        rows = [(self.name, self.frame, name, label, score, *box) for name, label, score, box in zip(
            self.class_names, self.labels, self.scores, self.boxes)]
        return pandas.DataFrame(rows, columns=list(COLUMNS))

    def to_supervision(self) -> Any:
        """Return ``supervision.Detections``, for its trackers and annotators.

        Raises:
            ModuleNotFoundError: supervision, which is optional, is not installed.
        """
        supervision = require_package('supervision', 'pip install supervision')
        return supervision.Detections(xyxy=self.boxes, confidence=self.scores, class_id=self.labels,
                                      data=dict(class_name=np.array(self.class_names, dtype=str)))

    def to_dicts(self) -> List[Dict[str, Any]]:
        """Return a dict with ``name``, ``label``, ``score`` and ``box`` (x1, y1, x2, y2) for each detection."""
        return [dict(name=name, label=int(label), score=_short(score), box=[_short(side) for side in box])
                for name, label, score, box in zip(self.class_names, self.labels, self.scores, self.boxes)]

    def to_json(self) -> str:
        """Return a JSON object with ``image``, ``frame``, ``height``, ``width``, ``detections`` and ``speed_ms``."""
        speed = {stage: round(milliseconds, 3) for stage, milliseconds in self.speed.items()}
        return json.dumps(dict(image=self.name, frame=self.frame, height=self.size[0], width=self.size[1],
                               detections=self.to_dicts(), speed_ms=speed), ensure_ascii=False)


def _short(value: np.float32) -> float:
    """Round to the fewest digits that give the same single-precision value."""
    return float(str(np.float32(value)))
