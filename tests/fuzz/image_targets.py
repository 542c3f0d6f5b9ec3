"""Readers of images, and of the caches beside datasets: valid inputs, and the errors that they document."""
import io
import json
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from data_targets import ANNOTATIONS
from mutation import mutate
from PIL import Image
from target import Target

from mmseam.datasets import LoadIntactImage, load_wider_face_index
from mmseam.datasets.image_files import UNREADABLE, read_image_size
from mmseam.datasets.toy_faces.manifest import MANIFEST_NAME, Manifest
from mmseam.datasets.transforms.image_cache import DiskCache
from mmseam.datasets.transforms.image_header import BadImageError
from mmseam.datasets.transforms.jpeg_header import is_truncated_jpeg, jpeg_size


# ======================== Images ========================
def encode(kind: str, **options: Any) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(cv2.resize(noise, (64, 48)))
    buffer = io.BytesIO()
    picture.convert(options.pop('mode', 'RGB')).save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


JPEGS = [encode('jpeg'), encode('jpeg', progressive=True), encode('jpeg', restart_marker_rows=1, comment='c' * 40),
         encode('jpeg', exif=exif(6)), encode('jpeg', mode='L'), encode('jpeg', mode='CMYK')]
IMAGES = [*JPEGS, encode('png'), encode('png', exif=exif(8)), encode('png', mode='P'), encode('bmp'), encode('webp'),
          encode('webp', exif=exif(3)), encode('tiff'), encode('tiff', compression='tiff_lzw'), encode('gif'),
          encode('ppm')]


def read_jpeg_header(path: Path) -> None:
    content = path.read_bytes()
    size, is_truncated = jpeg_size(content), is_truncated_jpeg(content)
    if size and size[0] * size[1] < 2**22:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        assert image is None or image.shape[:2] == size
        assert image is None or not is_truncated or content.rfind(b'\xff\xd9') < content.rfind(b'\xff\xda')


def read_image(path: Path) -> None:
    size = read_image_size(str(path))
    image = LoadIntactImage().transform(dict(img_path=str(path)))['img']
    assert image.dtype == np.uint8 and image.ndim == 3
    assert size == (UNREADABLE, UNREADABLE) or size == image.shape[1::-1], (size, image.shape)


# ======================== Caches ========================
def write_split(folder: Path) -> None:
    (folder / 'split').mkdir(parents=True)
    (folder / 'split' / 'wider_face_val_bbx_gt.txt').write_bytes(ANNOTATIONS)
    for name in ('e/a.jpg', 'e/none.jpg', 'f/b c.JPG'):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(JPEGS[0])


def read_index_cache(path: Path) -> None:
    """Replace the cache file of a split, whose name and key depend on the folder, with a damaged one."""
    folder = path.parent
    arguments = str(folder / 'split' / 'wider_face_val_bbx_gt.txt'), str(folder)
    cache = next((folder / 'split').glob('*.npz'), None)
    if cache is None:
        load_wider_face_index(*arguments)
        cache, = (folder / 'split').glob('*.npz')
        (folder / 'intact').write_bytes(cache.read_bytes())
    generator = random.Random(path.read_bytes())
    cache.write_bytes(mutate([(folder / 'intact').read_bytes()], generator))
    index = load_wider_face_index(*arguments)
    assert index.sizes.shape == (3, 2) and index.annotations.file_names == ['e/a.jpg', 'e/none.jpg', 'f/b c.JPG']
    assert len(index.annotations.boxes) == index.annotations.offsets[-1] == 3


def array_file(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def read_image_cache(path: Path) -> None:
    cache = DiskCache(1, str(path.parent))
    path.rename(cache._path('name'))
    image = cache.get('name')
    assert image is None or image.dtype == np.uint8


MANIFEST = json.dumps(dict(generator='mmseam toy faces', version=1, parameters=dict(seed=0), files={'a.jpg': 5},
                           summary=dict(train=dict(images=1)))).encode()

TARGETS = [
    Target('jpeg header', JPEGS, read_jpeg_header),
    Target('image', IMAGES, read_image, [BadImageError]),
    Target('index cache', [bytes([value]) for value in range(9)], read_index_cache, setup=write_split),
    Target('image cache', [array_file(np.zeros((4, 5, 3), np.uint8))], read_image_cache),
    Target('toy manifest', [MANIFEST], lambda path: Manifest.read(path.parent), file=MANIFEST_NAME),
]
