"""Write small datasets in WIDER FACE's official layout for the tests."""
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import cv2
import numpy as np

Face = Sequence[int]


def face(x: int, y: int, w: int, h: int, invalid: int = 0, occlusion: int = 0) -> List[int]:
    """Make the ten numbers of a face line."""
    return [x, y, w, h, 1, 0, 1, invalid, occlusion, 0]


def annotation_text(images: Dict[str, Sequence[Face]]) -> str:
    """Text of an annotation file, in the official files' manner: a blank at each line end, zeros for no faces."""
    lines = []
    for name, faces in images.items():
        lines += [name, str(len(faces))]
        lines += [' '.join(map(str, row)) + ' ' for row in (faces or [[0] * 10])]
    return '\n'.join(lines) + '\n'


def write_image(path: Path, size: Tuple[int, int] = (120, 80), seed: int = 0) -> None:
    """Make a JPEG of smooth noise; ``size`` = (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC))


def write_wider_face(root: Path, images: Dict[str, Sequence[Face]], split: str = 'train', size=(120, 80)) -> dict:
    """Write annotation file and images below ``root``; returns the dataset's keyword arguments."""
    ann_file = root / 'wider_face_split' / f'wider_face_{split}_bbx_gt.txt'
    ann_file.parent.mkdir(parents=True, exist_ok=True)
    ann_file.write_text(annotation_text(images))
    for seed, name in enumerate(images):
        write_image(root / f'WIDER_{split}' / 'images' / name, size, seed)
    return dict(
        data_root=str(root),
        ann_file=f'wider_face_split/wider_face_{split}_bbx_gt.txt',
        data_prefix=dict(img=f'WIDER_{split}/images/'))


def truncate(path: Path) -> None:
    """Cut an image file in half, as a broken download leaves it."""
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])
