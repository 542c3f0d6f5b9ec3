"""Metadata of exported files, which make them usable without a config."""
import dataclasses
import json
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from mmseam.datasets.contents import class_names
from mmseam.utils.config import innermost_dataset, to_plain
from mmseam.utils.test_cfg import REQUIRED_KEYS, check_test_cfg
from mmseam.version import __version__

_TEST_CFG_KEYS = ('score_thr', 'nms', 'max_per_img', 'nms_pre', 'multi_label')
_CHANNELS = 3
_MAX_TEXT = 4_000_000  # of one field in a file; 100,000 classes
_MAX_CLASSES = 100_000
_MAX_LEVELS, _MAX_STRIDE, _MAX_SIDE = 16, 4096, 8192
_MAX_VALUE = 1e6


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """Metadata of an exported model, stored in its file as one string per field.

    Args:
        classes (Tuple[str, ...]): Names of the classes, in the order of the scores.
        strides (Tuple[int, ...]): Stride of each level in pixels.
        mean (Tuple[float, ...]): Subtracted from the channels, on the scale 0 to 255.
        std (Tuple[float, ...]): The channels are divided by it after subtracting the mean.
        to_rgb (bool): Whether to convert BGR images to RGB before normalization.
        input_size (Tuple[int, int]): Height and width of the input in pixels; the default of a dynamic model.
        dynamic (bool): Whether batch size, height and width are variable; height and width must be multiples of the
            largest stride.
        has_nms (bool): Whether the outputs are final detections: ``detections`` (K, 6) and ``image_ids`` (K,).
        pad_value (float): Color of the letterbox, on the scale 0 to 255.
        allow_scale_up (bool): Whether to enlarge images smaller than the input.
        test_cfg (dict): ``score_thr``, ``nms``, ``max_per_img``, ``nms_pre`` and ``multi_label`` of MMYOLO, if the
            config sets them.
        config (str): Name of the config.
        version (str): Version of mmseam that exported the file. Defaults to the current one.

    Raises:
        ValueError: A field has the wrong type or is out of range; the message names it.
    """
    classes: Tuple[str, ...]
    strides: Tuple[int, ...]
    mean: Tuple[float, ...]
    std: Tuple[float, ...]
    to_rgb: bool
    input_size: Tuple[int, int]
    dynamic: bool
    has_nms: bool
    pad_value: float
    allow_scale_up: bool
    test_cfg: Dict[str, Any]
    config: str
    version: str = __version__

    def __post_init__(self) -> None:
        for name, (is_valid, description) in _RULES.items():
            if not is_valid(getattr(self, name)):
                raise ValueError(f'the metadata are damaged: {name} must be {description}')
        try:
            check_test_cfg(self.test_cfg, REQUIRED_KEYS)
            _checked_size(self.input_size, max(self.strides))
        except ValueError as error:
            raise ValueError(f'the metadata are damaged: {error}') from None

    def to_strings(self) -> Dict[str, str]:
        """Convert each field to a JSON string."""
        return {field.name: json.dumps(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @classmethod
    def from_strings(cls, strings: Mapping[str, str]) -> 'ModelMetadata':
        """Parse the result of :meth:`to_strings`.

        Args:
            strings (Mapping[str, str]): Strings by field; unknown fields are ignored.

        Returns:
            ModelMetadata: The metadata.

        Raises:
            ValueError: A field is missing, is not JSON or has a value that mmseam never writes.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [name for name in names if name not in strings]
        if missing:
            raise ValueError(f'the metadata lack {", ".join(missing)}: was the file exported by '
                             'tools/deployment/export.py?')
        too_long = [name for name in names if len(strings[name]) > _MAX_TEXT]
        if too_long:
            raise ValueError(f'the metadata are damaged: {too_long[0]} has more than {_MAX_TEXT} characters')
        try:
            values: Dict[str, Any] = {name: json.loads(strings[name]) for name in names}
        except (ValueError, RecursionError) as error:
            raise ValueError(f'the metadata are damaged: {error}') from None
        values.update({name: tuple(value) for name, value in values.items() if isinstance(value, list)})
        return cls(**values)

    @classmethod
    def from_config(cls, cfg: Config, input_size: Optional[Sequence[int]] = None, dynamic: bool = False,
                    has_nms: bool = False, checkpoint_meta: Optional[Mapping[str, Any]] = None) -> 'ModelMetadata':
        """Read the metadata from the config of a YOLO detector.

        Args:
            cfg (Config): A full config.
            input_size (Sequence[int], optional): Height and width in pixels. Defaults to those of the test pipeline.
            dynamic (bool): See :class:`ModelMetadata`. Defaults to False.
            has_nms (bool): See :class:`ModelMetadata`. Defaults to False.
            checkpoint_meta (Mapping[str, Any], optional): ``checkpoint['meta']``, whose classes take precedence over
                those of the config's test dataset. Defaults to None.

        Returns:
            ModelMetadata: The metadata.

        Raises:
            ValueError: The number of classes differs from that of the head, or the size is neither given nor fixed by
                the test pipeline, or is not a multiple of the largest stride.
        """
        pipeline = _pipeline(cfg)
        letterbox = _letterbox(pipeline)
        strides = tuple(cfg.model.bbox_head.head_module.get('featmap_strides', (8, 16, 32)))
        preprocessor = cfg.model.get('data_preprocessor') or {}
        pad_value = letterbox.get('pad_val', 0)
        return cls(
            classes=_classes(cfg, checkpoint_meta or {}),
            strides=strides,
            mean=_floats(preprocessor.get('mean'), 0.),
            std=_floats(preprocessor.get('std'), 1.),
            to_rgb=bool(preprocessor.get('bgr_to_rgb', False)),
            input_size=_checked_size(input_size or _pipeline_size(letterbox), max(strides)),
            dynamic=dynamic,
            has_nms=has_nms,
            pad_value=float(pad_value.get('img', 0) if isinstance(pad_value, dict) else pad_value),
            allow_scale_up=_allow_scale_up(pipeline, letterbox),
            test_cfg={key: value for key, value in to_plain(cfg.model.test_cfg).items() if key in _TEST_CFG_KEYS},
            config=_config_name(cfg))


def _is_text(value: Any) -> bool:
    return type(value) is str and len(value) <= 1000 and value.isprintable()


def _is_number(value: Any, low: float, high: float, kinds: tuple = (int, float)) -> bool:
    return type(value) in kinds and low <= value <= high


def _are_numbers(values: Any, low: float, high: float, kinds: tuple = (int, float)) -> bool:
    return type(values) is tuple and all(_is_number(value, low, high, kinds) for value in values)


_BOOL = (lambda value: type(value) is bool, 'true or false')
_TEXT = (_is_text, 'a short printable text')
_RULES: Dict[str, Tuple[Callable[[Any], bool], str]] = {
    'classes': (lambda names: type(names) is tuple and 1 <= len(names) <= _MAX_CLASSES and all(map(_is_text, names)),
                f'1 to {_MAX_CLASSES} short printable texts'),
    'strides': (lambda strides: _are_numbers(strides, 1, _MAX_STRIDE, (int, )) and 1 <= len(strides) <= _MAX_LEVELS,
                f'1 to {_MAX_LEVELS} whole numbers from 1 to {_MAX_STRIDE}'),
    'mean': (lambda mean: _are_numbers(mean, -_MAX_VALUE, _MAX_VALUE) and len(mean) == _CHANNELS,
             f'{_CHANNELS} numbers from {-_MAX_VALUE:g} to {_MAX_VALUE:g}'),
    'std': (lambda std: _are_numbers(std, 1 / _MAX_VALUE, _MAX_VALUE) and len(std) == _CHANNELS,
            f'{_CHANNELS} numbers from {1 / _MAX_VALUE:g} to {_MAX_VALUE:g}'),
    'input_size': (lambda size: _are_numbers(size, 1, _MAX_SIDE, (int, )) and len(size) == 2,
                   f'two whole numbers from 1 to {_MAX_SIDE}'),
    'pad_value': (lambda value: _is_number(value, 0, 255), 'a number from 0 to 255'),
    **dict.fromkeys(('to_rgb', 'dynamic', 'has_nms', 'allow_scale_up'), _BOOL),
    **dict.fromkeys(('config', 'version'), _TEXT),
}


def _floats(values: Optional[Sequence[float]], default: float) -> Tuple[float, ...]:
    return tuple(map(float, values or [default] * _CHANNELS))


def _config_name(cfg: Config) -> str:
    name = str(cfg.filename or 'unnamed').replace('\\', '/').rsplit('/', 1)[-1]
    return name[:-len('.py')] if name.endswith('.py') else name


def _test_dataset(cfg: Config) -> ConfigDict:
    """Return the config of the test dataset inside its wrappers; empty if there is none."""
    return innermost_dataset((cfg.get('test_dataloader') or {}).get('dataset') or ConfigDict())


def _pipeline(cfg: Config) -> list:
    return _test_dataset(cfg).get('pipeline') or cfg.get('test_pipeline') or []


def _kind(transform: dict) -> str:
    return str(transform.get('type')).rsplit('.', 1)[-1]


def _letterbox(pipeline: list) -> dict:
    return next((transform for transform in pipeline if _kind(transform) == 'LetterResize'), {})


def _allow_scale_up(pipeline: list, letterbox: dict) -> bool:
    """Return whether images are enlarged; MMYOLO does so before the letterbox, which itself must not enlarge."""
    return _kind(letterbox) == 'LetterResize' and letterbox.get('allow_scale_up', True) or any(
        _kind(transform) in ('YOLOv5KeepRatioResize', 'Resize') for transform in pipeline)


def _pipeline_size(letterbox: dict) -> Tuple[int, int]:
    scale = letterbox.get('scale')
    if scale is None or letterbox.get('use_mini_pad'):
        raise ValueError('the test pipeline has no LetterResize of a fixed size; give the size of the input (--imgsz)')
    return (scale, scale) if isinstance(scale, int) else (scale[1], scale[0])


def _checked_size(size: Sequence[int], stride: int) -> Tuple[int, int]:
    height, width = map(int, size)
    if min(height, width) < stride or height % stride or width % stride:
        raise ValueError(f'the size of the input must be a multiple of {stride}, the largest stride; got height '
                         f'{height} and width {width}')
    return height, width


def _classes(cfg: Config, checkpoint_meta: Mapping[str, Any]) -> Tuple[str, ...]:
    number = cfg.model.bbox_head.head_module.num_classes
    names = (checkpoint_meta.get('dataset_meta') or {}).get('classes')
    if not names:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmyolo')):
            names = class_names(_test_dataset(cfg))
    names = tuple(map(str, names or range(number)))
    if len(names) != number:
        raise ValueError(f'the head has {number} classes, but the checkpoint or the test set names {len(names)}')
    return names
