"""Measure the latency of a detector's stages on a dataset, one image at a time."""
from collections import Counter, defaultdict
from typing import Dict, List, NamedTuple, Tuple

import numpy as np
import torch
from mmengine.dataset import BaseDataset, pseudo_collate
from torch import nn
from tqdm import tqdm

from mmseam.inference.backends.pytorch import is_dense_detector
from mmseam.inference.stopwatch import StopWatch

NETWORK_STAGES = ('preprocess', 'forward', 'postprocess')


class Latency(NamedTuple):
    """Measured latency.

    Args:
        stages (Dict[str, np.ndarray]): Milliseconds per image by stage: ``load`` (reading the image, test pipeline),
            ``preprocess`` (transfer to the device, normalization), ``forward`` (the network) and ``postprocess``
            (decoding, score threshold, NMS, rescaling). For detectors that cannot be split this way, ``forward``
            includes ``postprocess``.
        input_shapes (Counter): Number of images per network input shape (height, width).
        warm_up (int): Number of warm-up passes, which are not measured.
    """
    stages: Dict[str, np.ndarray]
    input_shapes: Counter
    warm_up: int


@torch.no_grad()
def measure_latency(model: nn.Module, dataset: BaseDataset, warm_up: int = 10) -> Latency:
    """Run a detector on a dataset and time its stages; CUDA is synchronized before and after each.

    Args:
        model (nn.Module): An mmdet or mmyolo detector on its device, in evaluation mode.
        dataset (:obj:`BaseDataset`): The test set, with its pipeline.
        warm_up (int): Number of unmeasured passes on the first image. Defaults to 10.

    Returns:
        Latency: Times of all images.
    """
    for _ in range(warm_up):
        _time_image(model, dataset, 0)
    times: Dict[str, List[float]] = defaultdict(list)
    shapes: Counter = Counter()
    for index in tqdm(range(len(dataset)), desc='latency', unit='image'):
        one, shape = _time_image(model, dataset, index)
        shapes[shape] += 1
        for stage, milliseconds in one.items():
            times[stage].append(milliseconds)
    return Latency({stage: np.array(values) for stage, values in times.items()}, shapes, warm_up)


def model_device(model: nn.Module) -> torch.device:
    """Return the device of a detector; an exported one has no parameters, so its preprocessor decides."""
    parameter = next(model.parameters(), None)
    return model.data_preprocessor.device if parameter is None else parameter.device


def _time_image(model: nn.Module, dataset: BaseDataset, index: int) -> Tuple[Dict[str, float], Tuple[int, int]]:
    """Time the stages of one image in milliseconds; also return the input height and width."""
    watch = StopWatch(model_device(model))
    data = watch('load', lambda: pseudo_collate([dataset[index]]))
    data = watch('preprocess', lambda: model.data_preprocessor(data, False))
    inputs, samples = data['inputs'], data['data_samples']
    if not is_dense_detector(model):
        watch('forward', lambda: model.predict(inputs, samples))
    else:
        outputs = watch('forward', lambda: model.bbox_head(model.extract_feat(inputs)))
        metas = [sample.metainfo for sample in samples]
        watch('postprocess', lambda: model.bbox_head.predict_by_feat(*outputs, batch_img_metas=metas, rescale=True))
    return watch.milliseconds, tuple(inputs.shape[-2:])
