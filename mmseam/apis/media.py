"""Images and videos to predict on: finding, reading and writing them."""
import os
from pathlib import Path
from typing import Iterator, List, Tuple, Union

import cv2
import numpy as np
from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from mmseam.utils.atomic_write import atomic_write

VIDEO_EXTENSIONS = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')


def is_video(path: Path) -> bool:
    """Whether a file is one of the known kinds of video, by its suffix."""
    return path.suffix.lower() in VIDEO_EXTENSIONS


def find_images(source: Path, leave_out: Path) -> List[Path]:
    """The image itself, or all images in a folder and below.

    Args:
        source (Path): An image or a folder.
        leave_out (Path): A folder whose images are not taken, that of the results.

    Returns:
        List[Path]: Image files, sorted.

    Raises:
        FileNotFoundError: There is no such file or folder, or no image in it.
        ValueError: The file is of no known kind.
    """
    if source.is_file():
        if source.suffix.lower() not in IMG_EXTENSIONS:
            raise ValueError(f'{source}: neither an image ({" ".join(IMG_EXTENSIONS)}) nor a video '
                             f'({" ".join(VIDEO_EXTENSIONS)})')
        return [source]
    if not source.is_dir():
        raise FileNotFoundError(f'there is no file or folder {source}')
    leave_out = leave_out.resolve()
    images = sorted(path for path in source.rglob('*') if path.suffix.lower() in IMG_EXTENSIONS and path.is_file()
                    and leave_out not in path.resolve().parents)
    if not images:
        raise FileNotFoundError(f'no images ({" ".join(IMG_EXTENSIONS)}) in {source}')
    return images


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image in the format of its suffix.

    Args:
        path (Path): The file.
        image (np.ndarray): Pixels (H, W, 3), BGR.
    """
    _, content = cv2.imencode(path.suffix, image)
    with atomic_write(path, 'wb') as file:
        file.write(content.tobytes())


class VideoReader:
    """Frames of a video.

    Args:
        path (Path): The file.

    Raises:
        OSError: OpenCV cannot read it.
    """

    def __init__(self, path: Path) -> None:
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise OSError(f'{path}: no video that OpenCV can read; convert it to .mp4 (H.264)')
        self.num_frames = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or 25.0
        self.size: Tuple[int, int] = tuple(
            int(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames (H, W, 3), BGR."""
        while True:
            is_frame, frame = self._capture.read()
            if not is_frame:
                self._capture.release()
                return
            yield frame


class VideoWriter:
    """An MPEG-4 video, there when the ``with`` block has ended without an error.

    Args:
        path (Path): The file, ending with ``.mp4``.
        fps (float): Frames per second.
        size (Tuple[int, int]): Width and height.

    Raises:
        OSError: OpenCV cannot write it.
    """

    def __init__(self, path: Union[str, Path], fps: float, size: Tuple[int, int]) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = self._path.with_name(f'.{os.getpid()}.{self._path.name}')
        self._writer = cv2.VideoWriter(str(self._temporary), cv2.VideoWriter_fourcc(*'mp4v'), fps, size)
        if not self._writer.isOpened():
            raise OSError(f'{path}: OpenCV cannot write an MPEG-4 video there')

    def __enter__(self) -> 'VideoWriter':
        return self

    def write(self, frame: np.ndarray) -> None:
        """Append a frame (H, W, 3), BGR."""
        self._writer.write(frame)

    def __exit__(self, kind, *_) -> None:
        self._writer.release()
        if kind is None:
            os.replace(self._temporary, self._path)
        else:
            self._temporary.unlink()
