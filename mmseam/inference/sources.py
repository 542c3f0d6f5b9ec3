"""What can be predicted on: files, arrays, PIL images, lists of them, folders, patterns, videos, webcams."""
import glob
import os
import warnings
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Optional, Sequence, Union

import cv2
import numpy as np
from mmdet.apis.det_inferencer import IMG_EXTENSIONS
from PIL import Image, ImageOps

from mmseam.datasets.transforms.image_header import BadImageError, is_image_error

from .media import VIDEO_EXTENSIONS, SourceImage, VideoReader, is_video, read_image


class ImageSource:
    """Images in files or in memory; a file is read when its turn comes.

    Args:
        items (Sequence): Paths, arrays and PIL images.
        root (Path, optional): Folder that holds the files. Defaults to None, for the innermost that holds all.
        report (Callable): Told of each image that cannot be read. Defaults to ``warnings.warn``.

    Attributes:
        root (Path, optional): Folder that holds the files; None where there are none.
        total (int): Number of images, the unreadable ones included.
        bad (List[str]): Why images could not be used, each with the file's name; complete after the iteration.
    """

    def __init__(self, items: Sequence[Union[Path, np.ndarray, Image.Image]], root: Optional[Path] = None,
                 report: Callable[[str], Any] = warnings.warn) -> None:
        self.total = len(items)
        self._items = items
        self.root = root or _common_folder(self.paths)
        self.bad: List[str] = []
        self._report = report

    def __iter__(self) -> Iterator[SourceImage]:
        """The images that can be read."""
        for place, item in enumerate(self._items):
            path = item if isinstance(item, Path) else None
            name = str(path or f'image {place}')
            try:
                image = read_image(item) if isinstance(item, Path) else _to_bgr_or_bad(item, name)
            except OSError as error:
                if not is_image_error(error):
                    raise
                self.leave_out(str(error))
            else:
                yield SourceImage(image, name, path)

    @property
    def paths(self) -> List[Path]:
        """The files among the images."""
        return [item for item in self._items if isinstance(item, Path)]

    def relative_path(self, path: Path) -> Path:
        """Path of a file of this source below :attr:`root`; links are not followed, they may lead anywhere."""
        assert self.root is not None, 'a source of files has a root'
        return Path(os.path.relpath(os.path.abspath(path), os.path.abspath(self.root)))

    def leave_out(self, reason: str) -> None:
        """Note and report that an image of the source cannot be used; the reason names it."""
        self.bad.append(reason)
        self._report(f'left out: {reason}')


def open_source(source: Any, leave_out: Optional[Path] = None,
                report: Callable[[str], Any] = warnings.warn) -> Union[ImageSource, VideoReader]:
    """Find out what a source is, without reading images yet.

    Args:
        source (str | Path | int | np.ndarray | PIL.Image.Image | list): An image file, a folder (with those in it), a
            pattern such as ``'images/**/*.jpg'``, a video file, the number of a webcam (``0`` or ``'0'``), an array
            (H, W, 3) in BGR as of OpenCV, (H, W) in gray or (H, W, 4) in BGRA, a PIL image, or a list of images,
            folders and patterns.
        leave_out (Path, optional): A folder whose images are not taken, that of the results. Defaults to None.
        report (Callable): Told of each image that cannot be read, which is then left out. Defaults to
            ``warnings.warn``.

    Returns:
        ImageSource | VideoReader: Yields :class:`~mmseam.inference.media.SourceImage`; ``total`` and
        ``bad`` tell the rest.

    Raises:
        FileNotFoundError: There is no such file or folder, or no image in it.
        ValueError: A file is of no known kind, an array has no known shape or is not of uint8, or a PIL image holds
            numbers of no defined range (modes ``I`` and ``F``).
        TypeError: The source is nothing of the above.
        OSError: OpenCV cannot read the video or the webcam.
    """
    if isinstance(source, int):
        return VideoReader(source)
    if isinstance(source, (str, Path)):
        path = Path(source)
        if str(source).isdigit() and not path.exists():
            return VideoReader(int(str(source)))
        if path.is_file() and is_video(path):
            return VideoReader(path)
        return ImageSource(_find_images(path, leave_out), path if path.is_dir() else None, report)
    items = source if isinstance(source, (list, tuple)) else [source]
    return ImageSource([image for item in items for image in _expand(item, leave_out)], None, report)


def to_bgr(image: Union[np.ndarray, Image.Image]) -> np.ndarray:
    """Pixels as OpenCV has them.

    Args:
        image (np.ndarray | PIL.Image.Image): As of :func:`open_source`; a PIL image is turned as its EXIF orientation
            says, and one of 16 bits keeps the upper eight, as files do.

    Returns:
        np.ndarray: Pixels (H, W, 3), BGR, uint8; the array itself if it is of that kind.
    """
    if isinstance(image, Image.Image):
        upright = ImageOps.exif_transpose(image)
        if not _has_16_bits(image):
            return np.ascontiguousarray(np.asarray(upright.convert('RGB'))[..., ::-1])
        image = (np.asarray(upright) >> 8).astype(np.uint8)  # convert() would turn all from 255 up into white
    if image.ndim == 3 and image.shape[2] == 3:
        return image
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_BGRA2BGR)


def _to_bgr_or_bad(image: Union[np.ndarray, Image.Image], name: str) -> np.ndarray:
    try:
        return to_bgr(image)
    except (OSError, SyntaxError) as error:  # Pillow reads the file of an image only now
        raise BadImageError(f'{name}: {error}') from error


def _expand(item: Any, leave_out: Optional[Path]) -> list:
    """An item of a list, checked now rather than in the middle of the work."""
    if isinstance(item, (str, Path)):
        return _find_images(Path(item), leave_out)
    if isinstance(item, Image.Image):
        if item.mode in ('I', 'F') and not _has_16_bits(item):
            raise ValueError(f'a PIL image of mode {item.mode} has no defined range of values; scale it to 0 to 255, '
                             'and give an array of uint8')
        return [item]
    if not isinstance(item, np.ndarray):
        raise TypeError(f'{type(item).__name__} is no image; give a path, an array (H, W, 3) in BGR or a PIL image')
    is_known = item.ndim == 2 or (item.ndim == 3 and item.shape[2] in (3, 4))
    if not is_known or item.dtype != np.uint8 or not item.size:
        raise ValueError(f'an array of shape {item.shape} and type {item.dtype} is no image; give (H, W, 3) in BGR, '
                         'uint8, and a list of arrays for several images')
    return [item]


def _has_16_bits(image: Image.Image) -> bool:
    """Whether its values go up to 65535; Pillow reads PGM files, older versions PNG files too, as 32-bit numbers."""
    return image.mode.startswith('I;16') or (image.mode == 'I' and image.format in ('PNG', 'PPM'))


def _find_images(path: Path, leave_out: Optional[Path]) -> List[Path]:
    """The image itself, all images in a folder and below, or those that a pattern names; sorted."""
    if path.is_file():
        if path.suffix.lower() in IMG_EXTENSIONS:
            return [path]
        if is_video(path):
            raise ValueError(f'{path}: give a video on its own, not in a list')
        raise ValueError(f'{path}: neither an image ({" ".join(IMG_EXTENSIONS)}) nor a video '
                         f'({" ".join(VIDEO_EXTENSIONS)})')
    found: Iterable[Path]
    if path.is_dir():
        root, found = path, path.rglob('*')
    elif glob.has_magic(str(path)):
        root = next(parent for parent in path.parents if not glob.has_magic(str(parent)))
        found = map(Path, glob.iglob(str(path), recursive=True))
    else:
        raise FileNotFoundError(f'there is no file or folder {path}')
    images = sorted(file for file in found if file.suffix.lower() in IMG_EXTENSIONS and file.is_file())
    # Not where the images themselves lie in the folder of the results
    if leave_out and root.resolve() in leave_out.resolve().parents:
        images = [file for file in images if leave_out.resolve() not in file.resolve().parents]
    if not images:
        raise FileNotFoundError(f'no images ({" ".join(IMG_EXTENSIONS)}) in {path}')
    return images


def _common_folder(paths: List[Path]) -> Optional[Path]:
    # Links are not followed: what they lead to may lie anywhere.
    return Path(os.path.commonpath([os.path.abspath(path.parent) for path in paths])) if paths else None
