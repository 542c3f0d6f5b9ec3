"""Draw detections with OpenCV, in milliseconds instead of a second with mmdet's matplotlib visualizer."""
import colorsys
from typing import Iterator, Optional, Sequence, Tuple

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Maximum fraction of a box that a label may hide
_HIDDEN = 0.3
_GOLDEN_RATIO = 0.618034


def draw_detections(image: np.ndarray, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray,
                    classes: Sequence[str]) -> np.ndarray:
    """Draw boxes with their scores and, if there are several classes, class names.

    Line width and font size scale with the image. A label that would hide a detection or another label is omitted;
    labels with higher scores take precedence.

    Args:
        image (np.ndarray): Pixels (H, W, 3), BGR, uint8.
        boxes (np.ndarray): x1, y1, x2, y2 in pixels, (N, 4).
        scores (np.ndarray): (N,).
        labels (np.ndarray): Indices into ``classes``, (N,).
        classes (Sequence[str]): Names of the classes.

    Returns:
        np.ndarray: A new image of the same size.
    """
    drawing = image.copy()
    side = sum(image.shape[:2]) / 2
    thickness = max(1, round(side / 450))
    order = np.argsort(-scores, kind='stable')
    corners = boxes.round().astype(int)
    for row in order[::-1]:
        left, top, right, bottom = corners[row].tolist()
        cv2.rectangle(drawing, (left, top), (right, bottom), class_color(labels[row]), thickness)
    names = [''] if len(classes) == 1 else [f'{name} ' for name in classes]
    texts = [f'{names[labels[row]]}{scores[row]:.2f}' for row in order]
    scale = max(.35, side / 1700)
    for row, (text, label_box) in zip(order, _place_labels(texts, corners[order], image.shape[:2], scale, thickness)):
        if label_box is not None:
            _write(drawing, text, label_box, scale, class_color(labels[row]))
    return drawing


def class_color(label: int) -> Tuple[int, int, int]:
    """Return the BGR color of a class; classes with adjacent indices get distinct colors."""
    hue = (1 / 3 + int(label) * _GOLDEN_RATIO) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, .85, 1)
    return round(255 * blue), round(255 * green), round(255 * red)


def _place_labels(texts: Sequence[str], boxes: np.ndarray, size: Tuple[int, int], scale: float,
                  thickness: int) -> Iterator[Tuple[str, Optional[np.ndarray]]]:
    """Yield each text with the rectangle x1, y1, x2, y2 of its label, or None if there is no room."""
    taken = np.zeros((0, 4), int)
    for text, box in zip(texts, boxes):
        (width, height), base = cv2.getTextSize(text, _FONT, scale, _stroke(scale))
        width, height = width + 4, height + base + 2
        left = int(np.clip(box[0] - thickness // 2, 0, max(0, size[1] - width)))
        top = box[1] - height if box[1] >= height else box[1]
        label = np.array([left, top, left + width, top + height])
        is_free = not (_overlap(label, boxes) > _HIDDEN * _area(boxes)).any() and not _overlap(label, taken).any()
        if is_free:
            taken = np.vstack([taken, label])
        yield text, label if is_free else None


def _write(drawing: np.ndarray, text: str, label_box: np.ndarray, scale: float, color: Tuple[int, int, int]) -> None:
    left, top, right, bottom = label_box.tolist()
    cv2.rectangle(drawing, (left, top), (right, bottom), color, cv2.FILLED)
    (_, height), _ = cv2.getTextSize(text, _FONT, scale, _stroke(scale))
    is_bright = np.dot(color, (.114, .587, .299)) > 120
    cv2.putText(drawing, text, (left + 2, top + height + 1), _FONT, scale, (0, 0, 0) if is_bright else (255, 255, 255),
                _stroke(scale), cv2.LINE_AA)


def _stroke(scale: float) -> int:
    return max(1, round(1.6 * scale))


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the intersection area of a box with each of the others."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return sides.clip(0).prod(axis=1)
