"""Random weights with which a network behaves like a trained one, and random images with boxes.

Only PyTorch is needed, so that a peer's interpreter can use this module too.
"""
import math
from itertools import islice
from pathlib import Path
from typing import Iterable, Tuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn


def settle(network: nn.Module, images: Tensor) -> None:
    """Set the batch normalization statistics from ``images`` (B, 3, H, W), B >= 2, and switch to evaluation mode.

    With the initial statistics, values would shrink from layer to layer down to denormal numbers, which are slow.
    """
    update_bn([images], network)
    network.eval()


@torch.no_grad()
def set_class_bias(predictors: Iterable[nn.Conv2d], logits: Tensor, candidates: float, score_thr: float) -> None:
    """Shift the class logits so that a moderate number of positions is above the score threshold.

    Args:
        predictors (Iterable[nn.Conv2d]): The last layers of the class branches.
        logits (Tensor): Their outputs for some images, (B, N).
        candidates (float): Average number of positions per image to be above the threshold.
        score_thr (float): Threshold of the sigmoid scores.
    """
    bound = logits.flatten().topk(round(candidates * len(logits))).values[-1]
    for predictor in predictors:
        predictor.bias += math.log(score_thr / (1 - score_thr)) - bound.item()


def labeled_images(batch: int, imgsz: int, boxes: int) -> Tuple[Tensor, Tensor]:
    """Make a batch like that of a data loader.

    Returns:
        tuple: Images (batch, 3, imgsz, imgsz) uint8, and boxes (batch * boxes, 5): index of the image, center x and y,
        width and height, as fractions of the image and inside it.
    """
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (batch, 3, imgsz, imgsz), dtype=torch.uint8, generator=generator)
    size = 0.05 + 0.3 * torch.rand(batch * boxes, 2, generator=generator)
    center = size / 2 + (1 - size) * torch.rand(batch * boxes, 2, generator=generator)
    return images, torch.cat([torch.arange(batch).repeat_interleave(boxes)[:, None], center, size], 1)


def read_images(folder: str, imgsz: int, at_most: int = 8) -> Tensor:
    """Read the first images of a folder as a batch (B, 3, imgsz, imgsz) of RGB in [0, 1], stretched to squares."""
    import cv2
    files = map(str, sorted(Path(folder).iterdir()))
    pictures = islice((picture for picture in map(cv2.imread, files) if picture is not None), at_most)
    squares = [torch.from_numpy(cv2.resize(picture[..., ::-1], (imgsz, imgsz))) for picture in pictures]
    return torch.stack(squares).permute(0, 3, 1, 2).float() / 255
