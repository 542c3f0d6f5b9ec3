"""High-level detector: load a model and predict in two lines."""
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Generator, Iterator, List, NamedTuple, Optional, Tuple, Union

import cv2
import yaml

from mmseam.utils.checkpoint_match import check_checkpoint_file
from mmseam.utils.config import ConfigError, find_config, load_config

from .backends import Backend, PyTorchBackend, is_exported, load_backend
from .media import SourceImage, VideoReader
from .parallel import map_in_order
from .preprocessing import ImageBatch
from .results import DetectionResult
from .sources import ImageSource, open_source
from .stopwatch import StopWatch
from .stored_config import load_stored_config

MAX_WORKERS = 4  # each keeps the feature maps of its images in memory
MIN_BATCHES = 8  # with fewer, loading a second session of an exported model does not pay off
_THIN = 20  # aspect ratio; only thinner images can be resized to zero pixels


class _Job(NamedTuple):
    """A preprocessed batch and the stopwatch that has timed it so far."""
    images: List[SourceImage]
    batch: ImageBatch
    watch: StopWatch


class Detector:
    """Detector for images, videos and webcams, created by :func:`load_detector`.

    Args:
        backend (Backend): The backend that runs the network.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    @property
    def names(self) -> Dict[int, str]:
        """dict[int, str]: Class names by label."""
        return dict(enumerate(self.classes))

    @property
    def classes(self) -> Tuple[str, ...]:
        """tuple[str, ...]: Class names by label."""
        return self.backend.classes

    def __call__(self, source: Any, score_thr: float = 0.3, batch_size: int = 1,
                 workers: Optional[int] = None) -> List[DetectionResult]:
        """Detect objects in all images of a source.

        An unreadable image is reported by a warning, and its result is empty and has ``error``. Results do not keep the
        pixels of image files, which are read again when needed, or of video frames; use :meth:`stream` to draw video
        frames.

        Args:
            source (str | Path | int | np.ndarray | PIL.Image.Image | list): Image file, folder, glob pattern,
                video file, array (H, W, 3) in BGR, PIL image, or a list of images; see
                :func:`~mmseam.inference.sources.open_source`.
            score_thr (float): Minimum score of detections. Defaults to 0.3.
            batch_size (int): Images per forward pass. Defaults to 1.
            workers (int, optional): Number of concurrent forward passes. On a CPU, several passes on one core each
                process more images per second than one pass on all cores, but each takes longer. Defaults to None: up
                to four on a CPU for YOLO11 models and ONNX files, which support it, if there are at least eight
                batches; else one.

        Returns:
            List[DetectionResult]: One result per image, in order, also for unreadable images.

        Raises:
            FileNotFoundError: The file or folder does not exist, or there are no images in it.
            ValueError: The source is not supported or a webcam, or ``batch_size`` or ``workers`` is out of range.
            OSError: The video cannot be read.
        """
        opened = open_source(source)
        if isinstance(opened, VideoReader) and opened.is_webcam:
            raise ValueError('a webcam never ends; iterate over .stream() instead')
        results = [result.without_pixels() if result.path else result
                   for result in self.stream(opened, score_thr, batch_size, workers)]
        for index, (name, path, error) in sorted(getattr(opened, 'failed', {}).items()):
            results.insert(index, DetectionResult.failed(name, path, error, self.classes))
        return results

    def stream(self, source: Any, score_thr: float = 0.3, batch_size: int = 1,
               workers: Optional[int] = None) -> Generator[DetectionResult, None, None]:
        """Detect objects in one image after the other, for videos, webcams and large folders.

        Unreadable images are left out with a warning.

        Args:
            source (Any): As for a call, a webcam index (``0`` or ``'0'``), or the result of ``open_source``.
            score_thr (float): Minimum score of detections. Defaults to 0.3.
            batch_size (int): Images per forward pass. Defaults to 1.
            workers (int, optional): As for a call, but one for a webcam. Several workers read images ahead.

        Returns:
            Generator[DetectionResult]: Results with the pixels of their images.

        Raises:
            FileNotFoundError, ValueError, OSError: As for a call.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, not {batch_size}')
        opened = source if isinstance(source, (ImageSource, VideoReader)) else open_source(source)
        return self._stream(opened, score_thr, batch_size, self._num_workers(opened, batch_size, workers))

    def _num_workers(self, source: Union[ImageSource, VideoReader], batch_size: int, workers: Optional[int]) -> int:
        cores = self.backend.cores
        if workers is not None:
            if not 1 <= workers <= cores:
                raise ValueError(f'workers must be from 1 to {cores} here, not {workers}')
            return workers
        if isinstance(source, VideoReader) and source.is_webcam:
            return 1
        is_short = source.total is not None and source.total < MIN_BATCHES * batch_size
        return 1 if is_short else min(MAX_WORKERS, cores)

    def _stream(self, source: Union[ImageSource, VideoReader], score_thr: float, batch_size: int,
                workers: int) -> Generator[DetectionResult, None, None]:
        run = self.backend.forward if workers == 1 else self.backend.parallel_forward(workers)
        detect = partial(self._detect, run, score_thr)
        found = map_in_order(detect, self._preprocess(source, batch_size), workers, self.backend.cores)
        with closing(found):
            for results in found:
                yield from results

    def _preprocess(self, source: Union[ImageSource, VideoReader], batch_size: int) -> Iterator[_Job]:
        images = self._resizable(source)
        while True:
            watch = StopWatch(self.backend.device)
            batch = watch('load', lambda: list(islice(images, batch_size)))
            if not batch:
                return
            prepare = partial(self.backend.preprocessor, [image.image for image in batch])
            yield _Job(batch, watch('preprocess', prepare), watch)

    def _resizable(self, source: Union[ImageSource, VideoReader]) -> Iterator[SourceImage]:
        """Yield the images of a source except those too thin to be resized, which OpenCV cannot reduce to height 0."""
        for image in source:
            height, width = image.image.shape[:2]
            if max(height, width) < _THIN * min(height, width) or self._can_preprocess(image):
                yield image
                continue
            reason = f'{image.name}: {width} x {height} pixels are too thin to be resized for the network'
            if not isinstance(source, ImageSource) or image.path is None:
                raise ValueError(reason)
            source.leave_out(reason)

    def _can_preprocess(self, image: SourceImage) -> bool:
        try:
            self.backend.preprocessor([image.image])
        except cv2.error:
            return False
        return True

    def _detect(self, run: Callable[[ImageBatch], Any], score_thr: float, job: _Job) -> List[DetectionResult]:
        backend, watch, images = self.backend, job.watch, job.images
        outputs = watch('forward', lambda: run(job.batch))
        found = watch('postprocess', lambda: backend.select(outputs, job.batch, score_thr))
        speed = {stage: milliseconds / len(images) for stage, milliseconds in watch.milliseconds.items()}
        return [
            DetectionResult(*detections, backend.classes, image.image.shape[:2], image.name, image.path, image.frame,
                            speed, image.image) for image, detections in zip(images, found)
        ]


def load_detector(model: Union[str, Path],
                  checkpoint: Optional[Union[str, Path]] = None,
                  device: Optional[str] = None,
                  rect: bool = True) -> Detector:
    """Load a detector.

    Args:
        model (str or Path): Config file, name of a config of mmseam, checkpoint of a training (``.pth``, which stores
            its config), or exported file (``.onnx``, ``.torchscript``, ``.pt2``, ``.xml``). Configs, ``.torchscript``
            and ``.pt2`` files are programs, the others are data (docs/security.md).
        checkpoint (str or Path, optional): File or URL of the weights of a config. Defaults to None: the weights
            in the metafile next to the config; exported files include theirs.
        device (str, optional): ``'cpu'``, ``'cuda:0'``, …. Defaults to None: the best available device, or
            the CPU for exported files.
        rect (bool): Whether to pad images only to multiples of the stride, which is faster, instead of to a square like
            ``tools/test.py``; scores differ slightly. Ignored by exported models with a fixed size. Defaults to True.

    Returns:
        Detector: The detector.

    Raises:
        ConfigError: The config does not exist or is invalid, or there are no weights for it.
        CheckpointFileError: The checkpoint is damaged or requires running code.
        CheckpointMismatchError: The checkpoint does not match the config's model.
        FileNotFoundError: The checkpoint or exported file does not exist.
        ExportedModelError: The exported file is damaged or was not exported by mmseam.
        ImportError: The library that runs the exported file is not installed.
    """
    if is_exported(model):
        if checkpoint is not None:
            raise ConfigError(f'{model} includes its weights; leave out the checkpoint {checkpoint}')
        return Detector(load_backend(model, device, rect=rect))
    if checkpoint is None and Path(model).suffix == '.pth':
        return Detector(PyTorchBackend(load_stored_config(model), model, device, rect))
    checkpoint = checkpoint or _published_weights(find_config(model))
    check_checkpoint_file(checkpoint)
    return Detector(PyTorchBackend(load_config(model), checkpoint, device, rect))


def _published_weights(config: Path) -> str:
    """Return the path or URL of the weights in the metafile next to the config; paths are relative to it."""
    metafile = config.with_name('metafile.yml')
    # MMEngine's YAML loader can instantiate arbitrary classes named in the file.
    models = yaml.safe_load(metafile.read_text(encoding='utf-8'))['Models'] if metafile.is_file() else []
    weights = next((entry.get('Weights') for entry in models if entry['Name'] == config.stem), None)
    if not weights:
        raise ConfigError(f'no weights are published for {config.stem}; give a checkpoint')
    return weights if '://' in weights else str(config.parent / weights)
