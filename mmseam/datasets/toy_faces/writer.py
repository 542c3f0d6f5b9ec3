"""Write rendered scenes in the layout of WIDER FACE."""
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

import cv2
import numpy as np

from .placed_face import FaceRecord
from .scene import EMPTY_EVENT, EMPTY_EVERY, EVENTS, render_scene

SPLITS = ('train', 'val')
_EVENT_NAMES = [event.name for event in EVENTS] + [EMPTY_EVENT]
_JPEG_QUALITY = (82, 96)


@dataclass(frozen=True)
class ImageJob:
    """One image to render; these fields fully determine its name and content.

    Args:
        root (str): Folder of the dataset.
        split (str): 'train' or 'val'.
        index (int): Index of the image in its split.
        seed (int): Seed of the dataset.
        image_size (int): Side of the image in pixels.
    """

    root: str
    split: str
    index: int
    seed: int
    image_size: int


@dataclass(frozen=True)
class WrittenImage:
    """An image on disk: event index, index in the split, name in the split file, and faces."""

    event: int
    index: int
    name: str
    records: List[FaceRecord]


def write_image(job: ImageJob) -> WrittenImage:
    """Render one image and write it as JPEG.

    Each image has its own random number generator, so it does not depend on the number of images or processes.
    """
    rng = np.random.default_rng([job.seed, SPLITS.index(job.split), job.index])
    scene = render_scene(rng, job.image_size, empty=job.index % EMPTY_EVERY == EMPTY_EVERY // 5)
    event = _EVENT_NAMES.index(scene.event)
    name = f'{event}--{scene.event}/{event}_{scene.event}_toy_{job.split}_{job.index}.jpg'
    path = Path(job.root, f'WIDER_{job.split}', 'images', name)
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = int(rng.integers(*_JPEG_QUALITY))
    path.write_bytes(cv2.imencode('.jpg', scene.image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())
    return WrittenImage(event, job.index, name, scene.records)


def write_split(root: Path, split: str, images: Sequence[WrittenImage]) -> None:
    """Write the annotations of a split, ordered by event like the official files.

    ``wider_face_split/wider_face_<split>_bbx_gt.txt`` lists for each image its name, the number of faces, and a line
    ``x y w h blur expression illumination invalid occlusion pose`` per face, or a line of zeros without faces.
    ``wider_face_split/toy_covered_fraction_<split>.json`` maps each name to the covered fractions in the same order.
    """
    folder = root / 'wider_face_split'
    folder.mkdir(exist_ok=True)
    (root / f'WIDER_{split}' / 'images').mkdir(parents=True, exist_ok=True)
    images = sorted(images, key=lambda image: (image.event, image.index))
    lines = [line for image in images for line in _annotation_lines(image)]
    with open(folder / f'wider_face_{split}_bbx_gt.txt', 'w', newline='\n') as file:
        file.writelines(line + '\n' for line in lines)
    covered = {image.name: [record.covered for record in image.records] for image in images}
    with open(folder / f'toy_covered_fraction_{split}.json', 'w', newline='\n') as file:
        json.dump(covered, file, indent=1)


def _annotation_lines(image: WrittenImage) -> List[str]:
    rows = [(*face.box, face.blur, face.expression, face.illumination, 0, face.occlusion, face.pose)
            for face in image.records]
    # The official files also have a trailing space.
    lines = [''.join(f'{value} ' for value in row) for row in rows or [(0, ) * 10]]
    return [image.name, str(len(rows)), *lines]


def summarize(images: Sequence[WrittenImage]) -> Dict[str, int]:
    """Count images, images without faces, faces, and faces with no, partial and heavy occlusion."""
    occlusion = [record.occlusion for image in images for record in image.records]
    return dict(images=len(images), images_without_faces=sum(not image.records for image in images),
                faces=len(occlusion), occlusion_none=occlusion.count(0), occlusion_partial=occlusion.count(1),
                occlusion_heavy=occlusion.count(2))
