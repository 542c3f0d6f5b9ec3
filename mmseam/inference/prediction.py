"""Predict on a source and write drawings, videos and tables."""
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

import cv2
from tqdm import tqdm

from mmseam.utils.atomic_write import NoSpaceError
from mmseam.utils.interruption import Interrupted, StopRequest, stop_request

from .detector import load_detector
from .media import VideoReader, video_file, write_image
from .result_files import csv_file, json_file
from .results import DetectionResult
from .sources import ImageSource, open_source

_MAX_LISTED = 20  # bad images in the summary


class PredictionSummary(NamedTuple):
    """Summary of a call of :func:`predict`.

    Args:
        written (List[Path]): The drawn images, or the video.
        bad (List[str]): One message per image that could not be read or drawn, with the file name.
        num_images (int): Number of images or video frames processed.
        num_detections (Dict[str, int]): Number of detections by class name, most frequent first.
        milliseconds (Dict[str, float]): Mean time per image by stage: those of ``DetectionResult.speed``, which may
            overlap, and ``write`` (drawing and writing).
        seconds (float): Total time from the first to the last image.
    """
    written: List[Path]
    bad: List[str]
    num_images: int
    num_detections: Dict[str, int]
    milliseconds: Dict[str, float]
    seconds: float

    def __str__(self) -> str:
        found = ', '.join(f'{name} {number}' for name, number in self.num_detections.items()) or 'nothing'
        lines = [f'{self.num_images} images or frames; found: {found}']
        if self.num_images:
            stages = ', '.join(f'{stage} {mean:.1f}' for stage, mean in self.milliseconds.items())
            lines.append(f'ms per image: {stages}; {self.num_images / self.seconds:.1f} images per second')
        if self.bad:
            more = [f'and {len(self.bad) - _MAX_LISTED} more'] if len(self.bad) > _MAX_LISTED else []
            title = f'{len(self.bad)} images could not be read or drawn:'
            lines.append('\n- '.join([title, *self.bad[:_MAX_LISTED], *more]))
        return '\n'.join(lines)


def predict(source: Union[str, Path, int],
            model: Union[str, Path],
            checkpoint: Optional[Union[str, Path]] = None,
            out_dir: Optional[Union[str, Path]] = None,
            score_thr: float = 0.3,
            device: Optional[str] = None,
            batch_size: int = 1,
            rect: bool = True,
            json_path: Optional[Union[str, Path]] = None,
            csv_path: Optional[Union[str, Path]] = None,
            workers: Optional[int] = None) -> PredictionSummary:
    """Predict on a source and write the results.

    Args:
        source (str, Path or int): Image, folder (searched recursively), glob pattern, video, or webcam index. Press
            Ctrl-C to stop a webcam.
        model (str or Path): Config file, name of a config of mmseam, checkpoint that stores its config, or exported
            file.
        checkpoint (str or Path, optional): Checkpoint of the config. Defaults to None, see
            :func:`~mmseam.inference.detector.load_detector`.
        out_dir (str or Path, optional): Folder for the drawn images, which keep the names of their sources, or for the
            video (``.mp4``). Defaults to None: nothing is drawn.
        score_thr (float): Minimum score of detections. Defaults to 0.3.
        device (str, optional): ``'cpu'``, ``'cuda:0'``, …. Defaults to None, see ``load_detector``.
        batch_size (int): Images per forward pass. Defaults to 1.
        rect (bool): Pad images only to multiples of the stride, see ``load_detector``. Defaults to True.
        json_path (str or Path, optional): File for :func:`~mmseam.inference.result_files.json_file`. Defaults to None.
        csv_path (str or Path, optional): File for :func:`~mmseam.inference.result_files.csv_file`. Defaults to None.
        workers (int, optional): Number of concurrent forward passes, see :meth:`Detector.stream`. Defaults to None.

    Returns:
        PredictionSummary: Files, counts and times. Images that cannot be read, or whose drawing cannot be written, are
        listed in ``bad`` and skipped.

    Raises:
        FileNotFoundError: The source or the checkpoint does not exist, or the source has no images.
        ValueError: The source is not supported, a result would overwrite it, or as for ``load_detector``.
        OSError: The video cannot be read or written, or the disk is full.
        Interrupted: SIGINT or SIGTERM was received (not for a webcam). Partial results are kept: drawn images, and
            JSON, CSV and video files under the names of :func:`~mmseam.utils.atomic_write.partial_path`.
    """
    out_dir = Path(out_dir) if out_dir else None
    opened = open_source(source, out_dir, report=tqdm.write)
    if out_dir:
        _refuse_to_overwrite(opened, out_dir)
    detector = load_detector(model, checkpoint, device, rect)
    with stop_request() as stop, ExitStack() as stack:
        sinks: List[Callable[[DetectionResult], object]] = [
            stack.enter_context(open_file(path))
            for open_file, path in ((json_file, json_path), (csv_file, csv_path)) if path]
        written: List[Path] = []
        if out_dir:
            sinks.append(_image_sink(opened, out_dir, written, stack))
        results = stack.enter_context(closing(detector.stream(opened, score_thr, batch_size, workers)))
        start = time.perf_counter()
        counts, milliseconds, num_images = _run(results, opened, sinks, stop)
    seconds = time.perf_counter() - start
    return PredictionSummary(written, opened.bad, num_images, counts, milliseconds, seconds)


def _run(results: Iterator[DetectionResult], source: Union[ImageSource, VideoReader],
         sinks: List[Callable[[DetectionResult], object]],
         stop: StopRequest) -> Tuple[Dict[str, int], Dict[str, float], int]:
    """Pass all results to the sinks; return detections by class, milliseconds by stage and number of images."""
    counts: Counter[str] = Counter()
    times: Dict[str, float] = defaultdict(float)
    num_images = 0
    try:
        with tqdm(results, total=source.total, unit='frame' if isinstance(source, VideoReader) else 'image') as bar:
            for result in bar:
                start = time.perf_counter()
                for sink in sinks:
                    sink(result)
                for stage, milliseconds in dict(result.speed, write=1000 * (time.perf_counter() - start)).items():
                    times[stage] += milliseconds
                counts.update(result.class_names)
                num_images += 1
                stop.check(f'{num_images} images or frames are done')
    except Interrupted:
        if not (isinstance(source, VideoReader) and source.is_webcam):
            raise
    return dict(counts.most_common()), {stage: total / num_images for stage, total in times.items()}, num_images


def _image_sink(source: Union[ImageSource, VideoReader], out_dir: Path, written: List[Path],
              stack: ExitStack) -> Callable[[DetectionResult], object]:
    """Create a function that draws a result and writes it as an image or video frame."""
    if isinstance(source, VideoReader):
        written.append(_video_path(source, out_dir))
        add = stack.enter_context(video_file(written[0], source.fps, source.size))
        return lambda result: add(result.plot())

    def write(result: DetectionResult) -> None:
        path = out_dir / source.relative_path(Path(result.name))
        try:
            write_image(path, result.plot())
        except NoSpaceError:
            raise
        except (OSError, ValueError, cv2.error) as error:
            source.bad.append(f'{result.path}: {error}')
        else:
            written.append(path)

    return write


def _video_path(source: VideoReader, out_dir: Path) -> Path:
    return out_dir / f'{source.path.stem if source.path else source.name.replace(" ", "_")}.mp4'


def _refuse_to_overwrite(source: Union[ImageSource, VideoReader], out_dir: Path) -> None:
    """Raise an error if an output path is a file of the source, following links."""
    if isinstance(source, VideoReader):
        originals, targets = {source.path and source.path.resolve()}, [_video_path(source, out_dir)]
    else:
        originals = {path.resolve() for path in source.paths}
        targets = [out_dir / source.relative_path(path) for path in source.paths]
    if any(target.resolve() in originals for target in targets):
        raise ValueError(f'the results would overwrite source files in {out_dir}; choose another output folder')
