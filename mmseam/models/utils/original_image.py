"""Map boxes from the network's input back to the original image."""
from torch import Tensor


def to_original_scale(boxes: Tensor, meta: dict) -> Tensor:
    """Undo the padding and the resizing of an image.

    Args:
        boxes (Tensor): Boxes x1, y1, x2, y2 in pixels of the input, shape (N, 4).
        meta (dict): ``scale_factor`` (width, height) and, of letterboxed images, ``pad_param`` (top, bottom, left,
            right).

    Returns:
        Tensor: The boxes in pixels of the original image, shape (N, 4).
    """
    if meta.get('pad_param') is not None:
        top, _, left, _ = meta['pad_param']
        boxes = boxes - boxes.new_tensor([left, top, left, top])
    return boxes / boxes.new_tensor(meta['scale_factor']).repeat(2)


def clip_to_image(boxes: Tensor, meta: dict) -> Tensor:
    """Clip boxes to the original image.

    Args:
        boxes (Tensor): Boxes x1, y1, x2, y2 in its pixels, shape (N, 4).
        meta (dict): ``ori_shape`` (height, width).

    Returns:
        Tensor: The boxes, shape (N, 4).
    """
    height, width = meta['ori_shape'][:2]
    return boxes.clamp(boxes.new_zeros(4), boxes.new_tensor([width, height, width, height]))
