"""Steps of ``tools/deployment/export.py``."""
import copy
from pathlib import Path
from typing import Dict, Iterator, NamedTuple, Optional, Sequence, Union

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner

from mmseam.analysis.check_config import check_config
from mmseam.export.detector_export import export_detector
from mmseam.export.quantization import quantize_onnx
from mmseam.inference.exported_detector import set_exported_model
from mmseam.inference.metadata import ModelMetadata
from mmseam.inference.sources import open_source
from mmseam.inference.trained_detector import load_trained_detector
from mmseam.utils.config import load_config


class ExportOptions(NamedTuple):
    """Options of an export.

    Args:
        config (str): Config file, or name of a config of mmseam.
        checkpoint (str): Checkpoint file.
        out_file (str): The file to write.
        input_size (Sequence[int], optional): Height and width in pixels; None for those of the test pipeline.
        dynamic (bool): Whether batch size, height and width are dynamic.
        nms (bool): Whether to include NMS in the file.
        images (str, optional): Folder of images for the comparison with PyTorch.
        calibration (str, optional): Folder of images to calibrate quantization on; None for no quantized
            file.
        measure (bool): Whether to evaluate the files on the config's test set.
        cfg_options (Sequence[str], optional): Config overrides ``key=value``.
    """
    config: str
    checkpoint: str
    out_file: str
    input_size: Optional[Sequence[int]]
    dynamic: bool
    nms: bool
    images: Optional[str]
    calibration: Optional[str]
    measure: bool
    cfg_options: Optional[Sequence[str]]


def run_export(options: ExportOptions) -> Iterator[str]:
    """Export a detector, verify it, and optionally quantize and evaluate it.

    Args:
        options (ExportOptions): The options.

    Yields:
        str: The lines of the report, each as soon as it is known.

    Raises:
        ValueError: The config, an option or the exported file is invalid.
        OSError: A file is missing or damaged.
        ImportError: A package of the extra ``deploy`` is not installed.
    """
    cfg = load_config(options.config, options.cfg_options)
    check_config(cfg)
    detector, meta = load_trained_detector(cfg, options.checkpoint)
    metadata = ModelMetadata.from_config(cfg, options.input_size, options.dynamic, options.nms, meta)
    images = _images(options.images) if options.images else None
    differences = export_detector(detector, metadata, options.out_file, images)
    yield _describe(options.out_file, metadata)
    yield (f'  differs from PyTorch by at most {differences.boxes:.2g} pixels and {differences.scores:.2g} in score '
           f'({differences.images} images, {differences.detections} boxes)')
    files = [Path(options.out_file)]
    if options.calibration:
        files.append(files[0].with_name(f'{files[0].stem}_int8{files[0].suffix}'))
        number = quantize_onnx(files[0], files[1], _images(options.calibration))
        yield _describe(files[1], metadata)
        yield f'  quantized to 8 bits, calibrated on {number} images'
    if options.measure:
        yield from _measure(cfg, files)


def _images(folder: str) -> Iterator[np.ndarray]:
    return (source.image for source in open_source(folder))


def _describe(file: Union[str, Path], metadata: ModelMetadata) -> str:
    """Describe path, size and input of a file; OpenVINO stores the weights in a second file."""
    path = Path(file)
    weights = path.with_suffix('.bin')
    size = path.stat().st_size + (weights.stat().st_size if path.suffix == '.xml' else 0)
    sides = 'any batch and size' if metadata.dynamic else 'x'.join(map(str, metadata.input_size))
    return f'{path}: {size / 1e6:.1f} MB, input {sides}' + (', with NMS' if metadata.has_nms else '')


def _measure(cfg: Config, files: Sequence[Path]) -> Iterator[str]:
    """Report the metrics of the files and the change due to quantization."""
    metrics = [_evaluate_file(cfg, file) for file in files]
    for name, value in metrics[0].items():
        yield f'  {name}: ' + ' → '.join(f'{result[name]:.4f}' for result in metrics) + (
            f' ({metrics[1][name] - value:+.4f} by 8 bits)' if len(files) > 1 else '')


def _evaluate_file(cfg: Config, file: Union[str, Path]) -> Dict[str, float]:
    """Evaluate an exported file with the test set and metrics of its config."""
    cfg = copy.deepcopy(cfg)
    cfg.log_level = 'WARNING'
    cfg.work_dir = str(Path(cfg.work_dir) / Path(file).stem)
    set_exported_model(cfg, str(file))
    return {name: float(value) for name, value in Runner.from_cfg(cfg).test().items()}
