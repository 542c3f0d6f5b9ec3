"""Detections of one image."""
import dataclasses
import json
import operator
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, SupportsIndex, Tuple, Union

import numpy as np

from .drawing import draw_detections
from .media import read_image, write_image


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
        title = self.name if self.frame is None else f'{self.name}, frame {self.frame}'
        found = ', '.join(f'{name} {number}' for name, number in Counter(self.names).most_common())
        best = f' (best score {self.scores.max():.2f})' if len(self) else ''
        return f'DetectionResult({title}, {self.size[1]}x{self.size[0]}: {found or "nothing found"}{best})'

    @property
    def names(self) -> List[str]:
        """list[str]: Class name of each detection."""
        return [self.classes[label] for label in self.labels]

    @property
    def image(self) -> np.ndarray:
        """np.ndarray: Pixels (H, W, 3), BGR, of the original image.

        Raises:
            ValueError: The result is of a video frame whose pixels were not kept.
            OSError: The file cannot be read anymore.
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

    def to_dicts(self) -> List[Dict[str, Any]]:
        """Return a dict with ``name``, ``label``, ``score`` and ``box`` (x1, y1, x2, y2) for each detection."""
        return [dict(name=name, label=int(label), score=_short(score), box=[_short(side) for side in box])
                for name, label, score, box in zip(self.names, self.labels, self.scores, self.boxes)]

    def to_json(self) -> str:
        """Return a JSON object with ``image``, ``frame``, ``height``, ``width``, ``detections`` and ``speed_ms``."""
        speed = {stage: round(milliseconds, 3) for stage, milliseconds in self.speed.items()}
        return json.dumps(dict(image=self.name, frame=self.frame, height=self.size[0], width=self.size[1],
                               detections=self.to_dicts(), speed_ms=speed), ensure_ascii=False)


def _short(value: np.float32) -> float:
    """Round to the fewest digits that give the same single-precision value."""
    return float(str(np.float32(value)))
