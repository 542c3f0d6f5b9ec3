"""An exported file in the place of a config's model, if it fits the rest of the config."""
from typing import Iterator

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from mmseam.utils.config import ConfigError, innermost_dataset

from .backends import ExportedModelError, load_backend
from .metadata import ModelMetadata

_HOW_IMAGES_ARE_PREPARED = ('input_size', 'mean', 'std', 'to_rgb', 'pad_value')


def set_exported_model(cfg: Config, file: str, tta: bool = False) -> None:
    """Test an exported file with a config's images, post-processing and metrics.

    Args:
        cfg (Config): Config of the detector that was exported, changed in place.
        file (str): The exported file.
        tta (bool): Whether the test is one with test-time augmentation. Defaults to False.

    Raises:
        ConfigError: The file cannot be used, or is not one of this config: other classes, another size or
            normalization of the images.
        FileNotFoundError: There is no such file.
    """
    try:
        metadata = load_backend(file).metadata
    except (ExportedModelError, ImportError) as error:
        raise ConfigError(str(error)) from error
    problems = list(_problems(cfg, metadata, tta))
    if problems:
        raise ConfigError(f'{file}, exported with the config {metadata.config}, does not fit {cfg.filename}:'
                          + ''.join(f'\n- {problem}' for problem in problems))
    if metadata.has_nms:
        print_log(f'{file} holds NMS, the settings in the file are valid: {metadata.test_cfg}', logger='current')
    cfg.load_from = None
    # The hook copies the model to average its weights; a file's are final.
    cfg.custom_hooks = [hook for hook in cfg.get('custom_hooks') or [] if not str(hook.type).endswith('EMAHook')]
    cfg.model = ConfigDict(
        type='mmseam.ExportedDetector',
        file=str(file),
        test_cfg=metadata.test_cfg if metadata.has_nms else cfg.model.get('test_cfg'),
        data_preprocessor=cfg.model.get('data_preprocessor'))


def _problems(cfg: Config, metadata: ModelMetadata, tta: bool) -> Iterator[str]:
    size = 'x'.join(map(str, metadata.input_size))
    if not metadata.dynamic:
        if tta:
            yield f'--tta varies the size of the images, the model takes {size} only: export a dynamic one'
        if innermost_dataset(cfg.test_dataloader.dataset).get('batch_shapes_cfg'):
            yield (f'batch_shapes_cfg of the test set varies the size of the images, the model takes {size} only: set '
                   'it to None, or export a dynamic model')
    try:
        wanted = ModelMetadata.from_config(cfg, input_size=metadata.input_size if metadata.dynamic else None)
    except AttributeError:
        yield 'its model is no YOLO detector, and others cannot be exported'
        return
    except ValueError as error:
        yield str(error)
        return
    for name in _HOW_IMAGES_ARE_PREPARED:
        found, expected = getattr(metadata, name), getattr(wanted, name)
        if found != expected:
            yield f'{name.replace("_", " ")} is {found} in the file and {expected} in the config'
    yield from _check_classes(metadata, wanted)


def _check_classes(metadata: ModelMetadata, wanted: ModelMetadata) -> Iterator[str]:
    found, expected = ([name.lower() for name in one.classes] for one in (metadata, wanted))
    if len(found) != len(expected):
        yield f'the file has {len(found)} classes, the test set {len(expected)}'
        return
    for index, (here, there) in enumerate(zip(found, expected)):
        if here != there:
            yield f'class {index} is {here!r} in the file and {there!r} in the test set'
            return
