"""A piece of an image with transparency: what every drawn thing of a toy scene becomes."""
from dataclasses import dataclass
from typing import Optional, Tuple

import cv2
import numpy as np

Window = Tuple[slice, slice]


@dataclass
class Patch:
    """Pixels at a place of the image.

    Args:
        values (np.ndarray): ``(h, w, 4)`` uint8 BGR with premultiplied alpha, 0..255, or ``(h, w)`` float32 mask, 0..1.
        x (int): Column of the image at which the patch starts.
        y (int): Row of the image at which the patch starts.
    """

    values: np.ndarray
    x: int
    y: int

    @property
    def opacity(self) -> np.ndarray:
        """np.ndarray: ``(h, w)`` float32 share of every pixel that the patch hides, 0..1."""
        if self.values.ndim == 2:
            return self.values
        return self.values[..., 3].astype(np.float32) / 255

    def overlap(self, other: 'Patch') -> Optional[Tuple[Window, Window]]:
        """Windows of both patches over their common pixels.

        Returns:
            tuple | None: Window into this patch and window into the other; None when they do not touch.
        """
        (height, width), (other_height, other_width) = self.values.shape[:2], other.values.shape[:2]
        left, right = max(self.x, other.x), min(self.x + width, other.x + other_width)
        top, bottom = max(self.y, other.y), min(self.y + height, other.y + other_height)
        if left >= right or top >= bottom:
            return None
        return self._window(left, top, right, bottom), other._window(left, top, right, bottom)

    def _window(self, left: int, top: int, right: int, bottom: int) -> Window:
        return slice(top - self.y, bottom - self.y), slice(left - self.x, right - self.x)

    def paste(self, image: np.ndarray) -> None:
        """Lays the patch over an image, in place.

        Args:
            image (np.ndarray): ``(H, W, 3)`` uint8 BGR that holds the whole patch.
        """
        height, width = self.values.shape[:2]
        under = image[self.y:self.y + height, self.x:self.x + width]
        *color, alpha = cv2.split(self.values)
        through = 255 - alpha
        # OpenCV's sums and products of uint8 round and saturate.
        under[:] = cv2.add(cv2.multiply(under, cv2.merge([through] * 3), scale=1 / 255), cv2.merge(color))

    def blurred(self, sigma: float) -> 'Patch':
        """The patch out of focus; premultiplied alpha lets color and edge soften alike.

        Args:
            sigma (float): Standard deviation of the Gaussian in pixels; below 0.05 nothing happens.
        """
        if sigma < 0.05:
            return self
        values = cv2.GaussianBlur(self.values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        return Patch(values, self.x, self.y)

    def lit(self, light: np.ndarray) -> 'Patch':
        """The patch under a light.

        Args:
            light (np.ndarray): ``(h, w)`` factors, 1 = as drawn.
        """
        factors = cv2.merge([light, light, light, np.ones_like(light)])
        values = cv2.multiply(self.values, factors, dtype=cv2.CV_8U)
        # An over-exposed color saturates at white, which is alpha in premultiplied form.
        alpha = np.ascontiguousarray(self.values[..., 3])
        return Patch(cv2.min(values, cv2.merge([alpha] * 4)), self.x, self.y)

    def trimmed(self) -> 'Patch':
        """The patch without its empty margins (one pixel is kept where all is empty)."""
        left, top, width, height = cv2.boundingRect(self.values[..., 3] if self.values.ndim == 3 else
                                                    (self.values > 0).astype(np.uint8))
        height, width = max(height, 1), max(width, 1)
        return Patch(self.values[top:top + height, left:left + width], self.x + left, self.y + top)
