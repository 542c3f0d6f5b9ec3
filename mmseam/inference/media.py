"""Read and write images and videos."""
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple, Union

import cv2
import numpy as np

from mmseam.datasets import LoadIntactImage
from mmseam.utils.atomic_write import NoSpaceError, atomic_files, atomic_write
from mmseam.utils.interruption import Interrupted

VIDEO_EXTENSIONS = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')

# Free bytes reserved for the index of a video, which is written last and needed to play it
_RESERVE = 2**20


class SourceImage(NamedTuple):
    """An image to predict on.

    Args:
        image (np.ndarray): Pixels (H, W, 3), BGR, uint8.
        name (str): Name of the image: its path, or its index in a list.
        path (Path, optional): The file it was read from. Defaults to None.
        frame (int, optional): Zero-based frame index in a video. Defaults to None.
    """
    image: np.ndarray
    name: str
    path: Optional[Path] = None
    frame: Optional[int] = None


def is_video(path: Path) -> bool:
    """Return whether a file has the suffix of a supported video format."""
    return path.suffix.lower() in VIDEO_EXTENSIONS


def read_image(path: Path) -> np.ndarray:
    """Read an image and apply its EXIF orientation.

    Args:
        path (Path): The file.

    Returns:
        np.ndarray: Pixels (H, W, 3), BGR, uint8.

    Raises:
        OSError: The file is missing, truncated or not an image; the message names it.
    """
    return LoadIntactImage().transform(dict(img_path=str(path)))['img']  # type: ignore[index]


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image in the format given by the file suffix.

    Args:
        path (Path): The file.
        image (np.ndarray): Pixels (H, W, 3), BGR.

    Raises:
        ValueError: OpenCV does not support the format, or not for this image.
    """
    if not cv2.haveImageWriter(f'image{path.suffix}'):
        raise ValueError(f'{path}: OpenCV cannot write {path.suffix or "files without a suffix"}; use .jpg or .png')
    is_encoded, content = cv2.imencode(path.suffix, image)
    if not is_encoded:
        raise ValueError(f'{path}: OpenCV cannot write {image.shape[1]} x {image.shape[0]} pixels in color as '
                         f'{path.suffix}; use .png')
    with atomic_write(path, 'wb') as file:
        file.write(content.tobytes())


class VideoReader:
    """Frames of a video file or a webcam.

    Args:
        source (Path or int): The file, or the webcam index.

    Attributes:
        is_webcam (bool): Whether the source is a webcam, whose frames do not end.
        name (str): The file's path, or ``webcam 0``.
        path (Path, optional): The file; None for a webcam.
        root (Path, optional): The file's folder; None for a webcam.
        total (int, optional): Number of frames; None if unknown.
        fps (float): Frames per second; 25 if unknown.
        size (Tuple[int, int]): Width and height.
        bad (List[str]): Always empty; a damaged video is read up to the damage.

    Raises:
        OSError: OpenCV cannot open the source.
    """

    def __init__(self, source: Union[Path, int]) -> None:
        self.is_webcam = is_webcam = isinstance(source, int)
        self.name = f'webcam {source}' if is_webcam else str(source)
        self.path = None if isinstance(source, int) else source
        self.root = self.path.parent if self.path else None
        self.bad: List[str] = []
        self._capture = cv2.VideoCapture(source if is_webcam else str(source))
        if not self._capture.isOpened():
            raise OSError(f'{self.name} cannot be opened; is it connected, and free?' if is_webcam else
                          f'{source}: OpenCV cannot read this video; convert it to .mp4 (H.264)')
        frames = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.total = frames if frames > 0 and not is_webcam else None
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or 25.0
        self.size = (int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
                     int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))

    def __iter__(self) -> Iterator[SourceImage]:
        """Iterate over the frames once; those of a webcam do not end."""
        number = 0
        try:
            while True:
                is_frame, frame = self._capture.read()
                if not is_frame:
                    return
                yield SourceImage(frame, self.name, self.path, number)
                number += 1
        finally:
            self._capture.release()


@contextmanager
def video_file(path: Union[str, Path], fps: float, size: Tuple[int, int]) -> Iterator[Callable[[np.ndarray], None]]:
    """Open an MPEG-4 video for writing; the file appears at the end of the block, partial if interrupted.

    Args:
        path (Path): The file, ending with ``.mp4``.
        fps (float): Frames per second.
        size (Tuple[int, int]): Width and height.

    Yields:
        Callable: Function that appends a frame (H, W, 3), BGR.

    Raises:
        OSError: OpenCV cannot write the video, or the disk is full.
    """
    number = 0

    def add(frame: np.ndarray) -> None:
        nonlocal number
        if shutil.disk_usage(temporary.parent).free < _RESERVE:
            raise NoSpaceError(f'disk full while writing {path}: free space and run again')
        writer.write(frame)
        number += 1

    with atomic_files(path, keep_interrupted=True) as temporary, ExitStack() as stack:
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*'mp4v'), fps, size)
        stack.callback(writer.release)
        if not writer.isOpened():
            raise OSError(f'{path}: OpenCV cannot write an MPEG-4 video there')
        try:
            yield add
        except Interrupted:
            _finish_video(writer, temporary, number, path)
            raise
        _finish_video(writer, temporary, number, path)


def _finish_video(writer: cv2.VideoWriter, temporary: Path, number: int, path: Union[str, Path]) -> None:
    """Close a video and check that it has all frames, since OpenCV does not report failed writes."""
    writer.release()
    video = cv2.VideoCapture(str(temporary))
    found = max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
    video.release()
    if found != number:
        raise NoSpaceError(f'{path}: {number - found} of {number} frames were not written; free space and run again')
