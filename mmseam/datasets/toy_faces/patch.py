"""Image patches with transparency, the layers of a toy scene."""
from dataclasses import dataclass
from typing import Optional, Tuple

import cv2
import numpy as np

Window = Tuple[slice, slice]


@dataclass
class Patch:
    """Pixels with transparency at a position in the image.

    Args:
        values (np.ndarray): ``(h, w, 4)`` uint8 BGR with premultiplied alpha, 0..255, or ``(h, w)`` float32 mask, 0..1.
        x (int): First image column of the patch.
        y (int): First image row of the patch.
    """

    values: np.ndarray
    x: int
    y: int

    @property
    def opacity(self) -> np.ndarray:
        """np.ndarray: Opacity of each pixel, ``(h, w)`` float32, 0..1."""
        if self.values.ndim == 2:
            return self.values
        return self.values[..., 3].astype(np.float32) / 255

    def overlap(self, other: 'Patch') -> Optional[Tuple[Window, Window]]:
        """Return the windows of both patches that cover their common pixels.

        Returns:
            tuple | None: Window of this patch and window of the other; None if they do not overlap.
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
        """Blend the patch into an image in place.

        Args:
            image (np.ndarray): ``(H, W, 3)`` uint8 BGR; the patch must be inside it.
        """
        height, width = self.values.shape[:2]
        under = image[self.y:self.y + height, self.x:self.x + width]
        *color, alpha = cv2.split(self.values)
        through = 255 - alpha
        # OpenCV's sums and products of uint8 round and saturate.
        under[:] = cv2.add(cv2.multiply(under, cv2.merge([through] * 3), scale=1 / 255), cv2.merge(color))

    def blurred(self, sigma: float) -> 'Patch':
        """Return the patch blurred; premultiplied alpha blurs colors and edges consistently.

        Args:
            sigma (float): Standard deviation of the Gaussian in pixels; below 0.05 the patch is unchanged.
        """
        if sigma < 0.05:
            return self
        values = cv2.GaussianBlur(self.values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        return Patch(values, self.x, self.y)

    def lit(self, light: np.ndarray) -> 'Patch':
        """Return the patch with brightness factors applied.

        Args:
            light (np.ndarray): ``(h, w)`` factors; 1 leaves a pixel unchanged.
        """
        factors = cv2.merge([light, light, light, np.ones_like(light)])
        values = cv2.multiply(self.values, factors, dtype=cv2.CV_8U)
        # Overexposed colors saturate at white, which equals alpha in premultiplied form.
        alpha = np.ascontiguousarray(self.values[..., 3])
        return Patch(cv2.min(values, cv2.merge([alpha] * 4)), self.x, self.y)

    def trimmed(self) -> 'Patch':
        """Return the patch without its empty margins; an empty patch keeps one pixel."""
        left, top, width, height = cv2.boundingRect(self.values[..., 3] if self.values.ndim == 3 else
                                                    (self.values > 0).astype(np.uint8))
        height, width = max(height, 1), max(width, 1)
        return Patch(self.values[top:top + height, left:left + width], self.x + left, self.y + top)
