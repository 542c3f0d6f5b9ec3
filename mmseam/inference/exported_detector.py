"""Test an exported file instead of a config's model."""
from typing import Iterator, NoReturn, Tuple

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import OptSampleList, SampleList
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor

from mmseam.models.utils import clip_to_image, to_original_scale
from mmseam.registry import MODELS
from mmseam.utils.config import ConfigError, innermost_dataset
from mmseam.utils.test_cfg import check_test_cfg

from .backends import ExportedModelError, load_backend
from .metadata import ModelMetadata

_PREPROCESSING_FIELDS = ('input_size', 'mean', 'std', 'to_rgb', 'pad_value')


@MODELS.register_module()
class ExportedDetector(BaseDetector):
    """Detector that runs an exported file, for tests with mmdet's pipelines and metrics.

    It has no parameters. The file is loaded when the detector is built, and again if its inputs come from a device
    other than the CPU.

    Args:
        file (str): An ``.onnx``, ``.torchscript``, ``.pt2`` or ``.xml`` (OpenVINO) file written by
            ``tools/deployment/export.py``.
        test_cfg (:obj:`ConfigDict` or dict, optional): Postprocessing settings. Must match those in the file if the
            file includes NMS. Defaults to None: the settings in the file.
        data_preprocessor (:obj:`ConfigDict` or dict, optional): Defaults to None: normalize according to the file.
        init_cfg (:obj:`ConfigDict` or dict, optional): Unused; part of mmdet's signature. Defaults to None.

    Raises:
        FileNotFoundError: The file does not exist.
        ImportError: The library that runs it is not installed.
        ExportedModelError: The file was not exported by mmseam.
        ValueError: ``test_cfg`` has an unknown key, an unknown kind of NMS or a value out of range.
    """

    def __init__(self,
                 file: str,
                 test_cfg: OptConfigType = None,
                 data_preprocessor: OptConfigType = None,
                 init_cfg: OptMultiConfig = None) -> None:
        if test_cfg is not None:
            check_test_cfg(test_cfg)
        backend = load_backend(file)
        super().__init__(data_preprocessor=data_preprocessor or _preprocessor(backend.metadata), init_cfg=init_cfg)
        self.file = file
        self.test_cfg = test_cfg
        self.backend = backend

    def predict(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> SampleList:
        """Detect objects.

        Args:
            batch_inputs (Tensor): Normalized images, (B, 3, H, W).
            batch_data_samples (list[:obj:`DetDataSample`]): Data samples with ``ori_shape``, ``scale_factor`` and, for
                letterboxed images, ``pad_param``.

        Returns:
            list[:obj:`DetDataSample`]: The data samples with ``pred_instances``: ``bboxes`` in pixels of the original
            image, ``scores`` and ``labels``.
        """
        self._move_backend(batch_inputs.device)
        found = self.backend.detect(batch_inputs.cpu().numpy(), self.test_cfg)
        results = [_to_instances(batch_inputs.new_tensor(rows), sample.metainfo)
                   for rows, sample in zip(found, batch_data_samples)]
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: OptSampleList = None) -> Tuple[Tensor, Tensor]:
        """Return raw boxes (B, N, 4) in pixels of the input and scores (B, N, num_classes)."""
        self._move_backend(batch_inputs.device)
        boxes, scores = self.backend(batch_inputs.cpu().numpy())
        return batch_inputs.new_tensor(boxes), batch_inputs.new_tensor(scores)

    def _move_backend(self, device: torch.device) -> None:
        """Reload the file if the inputs are on another device, since the runner moves models after building them."""
        if self.backend.device != device:
            self.backend = load_backend(self.file, device)

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> NoReturn:
        """Raise an error, since exported files cannot be trained.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f'{self.file} is an exported model and cannot be trained; train its checkpoint and '
                                  'export it again')

    def extract_feat(self, batch_inputs: Tensor) -> NoReturn:
        """Raise an error, since exported files do not return feature maps.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f'{self.file} is an exported model, which returns boxes but no feature maps')


def _preprocessor(metadata: ModelMetadata) -> dict:
    return dict(type='mmdet.DetDataPreprocessor', mean=list(metadata.mean), std=list(metadata.std),
                bgr_to_rgb=metadata.to_rgb)


def _to_instances(rows: Tensor, meta: dict) -> InstanceData:
    """Convert rows x1, y1, x2, y2, score, label to instances clipped to the original image."""
    boxes = clip_to_image(to_original_scale(rows[:, :4], meta), meta)
    return InstanceData(bboxes=boxes, scores=rows[:, 4], labels=rows[:, 5].long())


def set_exported_model(cfg: Config, file: str, tta: bool = False) -> None:
    """Set an exported file as the model of a config, keeping its dataset, postprocessing and metrics.

    Args:
        cfg (Config): Config of the detector that was exported, changed in place.
        file (str): The exported file.
        tta (bool): Whether test-time augmentation is used. Defaults to False.

    Raises:
        ConfigError: The file cannot be loaded, or its classes, image size or normalization differ from the config.
        FileNotFoundError: The file does not exist.
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
        print_log(f'{file} includes NMS; its settings are used: {metadata.test_cfg}', logger='current')
    cfg.load_from = None
    # EMAHook copies the model to average its weights, but an exported file has none
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
            yield f'--tta varies the image size, but the model takes {size} only: export a dynamic model'
        if innermost_dataset(cfg.test_dataloader.dataset).get('batch_shapes_cfg'):
            yield (f'batch_shapes_cfg of the test set varies the image size, but the model takes {size} only: set it '
                   'to None, or export a dynamic model')
    try:
        wanted = ModelMetadata.from_config(cfg, input_size=metadata.input_size if metadata.dynamic else None)
    except AttributeError:
        yield 'its model is not a YOLO detector; other models cannot be exported'
        return
    except ValueError as error:
        yield str(error)
        return
    for name in _PREPROCESSING_FIELDS:
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
