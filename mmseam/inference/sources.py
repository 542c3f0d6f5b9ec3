"""Sources of images: files, arrays, PIL images, lists of them, folders, glob patterns, videos and webcams."""
import glob
import os
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import cv2
import numpy as np
from mmdet.apis.det_inferencer import IMG_EXTENSIONS
from PIL import Image, ImageOps

from mmseam.datasets.transforms.image_header import BadImageError, is_image_error

from .media import VIDEO_EXTENSIONS, SourceImage, VideoReader, is_video, read_image


class ImageSource:
    """Images in files or in memory; files are read lazily.

    Args:
        items (Sequence): Paths, arrays and PIL images.
        root (Path, optional): Folder of the files. Defaults to None: their deepest common folder.
        report (Callable): Called with a message for each unreadable image. Defaults to ``warnings.warn``.

    Attributes:
        root (Path, optional): Folder of the files; None if there are none.
        total (int): Number of images, including unreadable ones.
        bad (List[str]): One message per image that cannot be used, with its name; complete after the iteration.
        failed (Dict[int, Tuple[str, Optional[Path], str]]): Name, path and message of these images by their position.
    """

    def __init__(self, items: Sequence[Union[Path, np.ndarray, Image.Image]], root: Optional[Path] = None,
                 report: Callable[[str], Any] = warnings.warn) -> None:
        self.total = len(items)
        self._items = items
        self.root = root or _common_folder(self.paths)
        self.bad: List[str] = []
        self.failed: Dict[int, Tuple[str, Optional[Path], str]] = {}
        self._current: Tuple[int, str, Optional[Path]] = (0, '', None)
        self._report = report

    def __iter__(self) -> Iterator[SourceImage]:
        """Iterate over the readable images."""
        for index, item in enumerate(self._items):
            path = item if isinstance(item, Path) else None
            name = str(path or f'image {index}')
            self._current = (index, name, path)
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
        """list[Path]: The images that are files."""
        return [item for item in self._items if isinstance(item, Path)]

    def relative_path(self, path: Path) -> Path:
        """Return the path of a file relative to :attr:`root` without resolving links, which may lead anywhere."""
        assert self.root is not None, 'a source of files has a root'
        return Path(os.path.relpath(os.path.abspath(path), os.path.abspath(self.root)))

    def leave_out(self, reason: str) -> None:
        """Record and report that the current image cannot be used; the reason includes its name."""
        index, name, path = self._current
        self.bad.append(reason)
        self.failed[index] = (name, path, reason)
        self._report(f'left out: {reason}')


def open_source(source: Any, leave_out: Optional[Path] = None,
                report: Callable[[str], Any] = warnings.warn) -> Union[ImageSource, VideoReader]:
    """Open a source without reading images yet.

    Args:
        source (str | Path | int | np.ndarray | PIL.Image.Image | list): An image file, a folder (searched recursively),
            a glob pattern such as ``'images/**/*.jpg'``, a video file, a webcam index (``0`` or ``'0'``), an array
            (H, W, 3) in OpenCV's BGR order, (H, W) grayscale or (H, W, 4) BGRA, a PIL image, or a list of images,
            folders and glob patterns.
        leave_out (Path, optional): A folder to exclude, such as that of the results. Defaults to None.
        report (Callable): Called with a message for each unreadable image, which is skipped. Defaults to
            ``warnings.warn``.

    Returns:
        ImageSource | VideoReader: Yields :class:`~mmseam.inference.media.SourceImage`; has ``total`` and ``bad``.

    Raises:
        FileNotFoundError: The file or folder does not exist, or there are no images in it.
        ValueError: The file type, the array's shape or dtype (uint8 only) or the PIL image's mode (``I`` and ``F`` have
            no defined range) is not supported.
        TypeError: The source has an unsupported type.
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
    """Convert an image to OpenCV's format.

    Args:
        image (np.ndarray | PIL.Image.Image): As for :func:`open_source`; the EXIF orientation of a PIL image is
            applied, and a 16-bit one keeps the upper 8 bits, as files do.

    Returns:
        np.ndarray: Pixels (H, W, 3), BGR, uint8; the input itself if it has this format.
    """
    if isinstance(image, Image.Image):
        upright = ImageOps.exif_transpose(image)
        if not _has_16_bits(image):
            return np.ascontiguousarray(np.asarray(upright.convert('RGB'))[..., ::-1])
        image = (np.asarray(upright) >> 8).astype(np.uint8)  # convert() would clip all values above 255 to white
    if image.ndim == 3 and image.shape[2] == 3:
        return image
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_BGRA2BGR)


def _to_bgr_or_bad(image: Union[np.ndarray, Image.Image], name: str) -> np.ndarray:
    try:
        return to_bgr(image)
    except (OSError, SyntaxError) as error:  # Pillow reads the file of an image only now
        raise BadImageError(f'{name}: {error}') from error


def _expand(item: Any, leave_out: Optional[Path]) -> list:
    """Check an item of a list before the prediction starts, and expand folders and patterns."""
    if isinstance(item, (str, Path)):
        return _find_images(Path(item), leave_out)
    if isinstance(item, Image.Image):
        if item.mode in ('I', 'F') and not _has_16_bits(item):
            raise ValueError(f'a PIL image of mode {item.mode} has no defined value range; scale it to 0-255 and '
                             'give a uint8 array')
        return [item]
    if not isinstance(item, np.ndarray):
        raise TypeError(f'{type(item).__name__} is not an image; give a path, an array (H, W, 3) in BGR or a PIL image')
    is_known = item.ndim == 2 or (item.ndim == 3 and item.shape[2] in (3, 4))
    if not is_known or item.dtype != np.uint8 or not item.size:
        raise ValueError(f'an array of shape {item.shape} and type {item.dtype} is not an image; give (H, W, 3) in '
                         'BGR, uint8, and a list of arrays for several images')
    return [item]


def _has_16_bits(image: Image.Image) -> bool:
    """Return whether the values are 16-bit; Pillow reads PGM files, and older versions also PNG files, as 32-bit."""
    return image.mode.startswith('I;16') or (image.mode == 'I' and image.format in ('PNG', 'PPM'))


def _find_images(path: Path, leave_out: Optional[Path]) -> List[Path]:
    """List the image file itself, all images below a folder, or the matches of a glob pattern, sorted."""
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
    # Unless the images themselves are in the folder of the results
    if leave_out and root.resolve() in leave_out.resolve().parents:
        images = [file for file in images if leave_out.resolve() not in file.resolve().parents]
    if not images:
        raise FileNotFoundError(f'no images ({" ".join(IMG_EXTENSIONS)}) in {path}')
    return images


def _common_folder(paths: List[Path]) -> Optional[Path]:
    # Links are not resolved: their targets may be anywhere.
    return Path(os.path.commonpath([os.path.abspath(path.parent) for path in paths])) if paths else None
