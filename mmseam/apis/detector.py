"""A detector in two lines."""
from itertools import islice
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple, Union

from mmengine.fileio import load

from mmseam.deploy.backends import is_exported
from mmseam.utils.checkpoint_match import check_checkpoint_file
from mmseam.utils.config import ConfigError, find_config, load_config

from .engine import Engine
from .media import SourceImage, VideoReader
from .result import DetectionResult
from .sources import ImageSource, open_source
from .stop_watch import StopWatch


class Detector:
    """Finds objects in images, videos and webcams; made by :func:`load_detector`.

    Args:
        engine (Engine): What runs the network.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def classes(self) -> Tuple[str, ...]:
        """Names of the classes, by label."""
        return self.engine.classes

    def __call__(self, source: Any, score_thr: float = 0.3, batch_size: int = 1) -> List[DetectionResult]:
        """Find objects in all images of a source.

        An image that cannot be read is named in a warning and left out. Results do not hold the pixels of files, which
        are read again where needed, nor those of video frames: draw these by :meth:`stream`.

        Args:
            source (str | Path | int | np.ndarray | PIL.Image.Image | list): Image file, folder, pattern, video file,
                array (H, W, 3) in BGR, PIL image, or a list of images; see :func:`~mmseam.apis.sources.open_source`.
            score_thr (float): Detections below this score are left out. Defaults to 0.3.
            batch_size (int): Images per forward pass. Defaults to 1.

        Returns:
            List[DetectionResult]: One per image, in their order.

        Raises:
            FileNotFoundError: There is no such file or folder, or no image in it.
            ValueError: The source is of no known kind, a webcam, which never ends, or ``batch_size`` is below 1.
            OSError: The video cannot be read.
        """
        opened = open_source(source)
        if isinstance(opened, VideoReader) and opened.is_webcam:
            raise ValueError('a webcam never ends; iterate over .stream() instead')
        return [result.without_pixels() if result.path else result
                for result in self.stream(opened, score_thr, batch_size)]

    def stream(self, source: Any, score_thr: float = 0.3, batch_size: int = 1) -> Iterator[DetectionResult]:
        """Find objects in one image after the other, for videos, webcams and large folders.

        Args:
            source (Any): As for a call, a webcam (``0`` or ``'0'``), or what ``open_source`` returns.
            score_thr (float): Detections below this score are left out. Defaults to 0.3.
            batch_size (int): Images per forward pass. Defaults to 1.

        Returns:
            Iterator[DetectionResult]: Results that hold the pixels of their image.

        Raises:
            FileNotFoundError, ValueError, OSError: As for a call.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, not {batch_size}')
        opened = source if isinstance(source, (ImageSource, VideoReader)) else open_source(source)
        return self._stream(iter(opened), score_thr, batch_size)

    def _stream(self, images: Iterator[SourceImage], score_thr: float, batch_size: int) -> Iterator[DetectionResult]:
        watch = StopWatch(self.engine.device)
        while True:
            batch = watch('load', lambda: list(islice(images, batch_size)))
            if not batch:
                return
            yield from self._detect(batch, score_thr, watch)

    def _detect(self, images: List[SourceImage], score_thr: float, watch: StopWatch) -> List[DetectionResult]:
        engine = self.engine
        batch = watch('preprocess', lambda: engine.preparation([image.image for image in images]))
        outputs = watch('forward', lambda: engine.forward(batch))
        found = watch('postprocess', lambda: engine.select(outputs, batch, score_thr))
        speed = {stage: milliseconds / len(images) for stage, milliseconds in watch.milliseconds.items()}
        return [
            DetectionResult(*detections, engine.classes, image.image.shape[:2], image.name, image.path, image.frame,
                            speed, image.image) for image, detections in zip(images, found)
        ]


def load_detector(model: Union[str, Path],
                  checkpoint: Optional[Union[str, Path]] = None,
                  device: Optional[str] = None,
                  rect: bool = True) -> Detector:
    """Load a detector.

    Args:
        model (str or Path): Config file, name of one of mmseam's configs, or exported file (``.onnx``,
            ``.torchscript``, ``.pt2``, ``.xml``).
        checkpoint (str or Path, optional): File or address of the weights of a config. Defaults to None, for the
            weights that the metafile beside the config names; exported files hold theirs.
        device (str, optional): ``'cpu'``, ``'cuda:0'``, …. Defaults to None, the best one there is, for exported
            files the CPU.
        rect (bool): Pad images to whole strides only, which is faster, instead of to the square as ``tools/test.py``
            does; scores differ slightly. Exported models of a fixed size do not. Defaults to True.

    Returns:
        Detector: Ready to be called.

    Raises:
        ConfigError: There is no such config, it is damaged, or there are no weights for it.
        CheckpointMismatchError: The checkpoint is not one of the config's model.
        FileNotFoundError: There is no such checkpoint or exported file.
        ExportedModelError: The exported file is damaged or was not exported by mmseam.
        ImportError: The library that runs the exported file is missing.
    """
    if is_exported(model):
        if checkpoint is not None:
            raise ConfigError(f'{model} holds its weights; leave the checkpoint {checkpoint} out')
        from .exported_engine import ExportedEngine
        return Detector(ExportedEngine(model, device, rect))
    checkpoint = checkpoint or _published_weights(find_config(model))
    check_checkpoint_file(checkpoint)
    from .pytorch_engine import PyTorchEngine
    return Detector(PyTorchEngine(load_config(model), checkpoint, device, rect))


def _published_weights(config: Path) -> str:
    """File or address in the metafile of the config's folder."""
    metafile = config.with_name('metafile.yml')
    models = load(metafile)['Models'] if metafile.is_file() else []
    weights = next((entry.get('Weights') for entry in models if entry['Name'] == config.stem), None)
    if not weights:
        raise ConfigError(f'no weights are published for {config.stem}; give a checkpoint')
    return weights
