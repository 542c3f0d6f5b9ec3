"""Latency of the variants of a study: fused networks with random weights, timed in turns."""
import statistics
from typing import Dict, List

import torch
from mmengine.registry import DefaultScope
from tqdm import trange

from mmseam.inference.stopwatch import StopWatch
from mmseam.models.fused import switch_to_deploy
from mmseam.registry import MODELS

from .study_config import model_config
from .study_description import Study

_WARM_UP = 5


def study_device() -> torch.device:
    """Return the device that runs are evaluated and timed on: the first visible GPU, or else the CPU."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


@torch.inference_mode()
def measure_variants(study: Study, num_rounds: int = 50) -> Dict[str, float]:
    """Time the network of each variant on one image; decoding and NMS are left out.

    Args:
        study (Study): The study.
        num_rounds (int): Passes per variant; the variants take turns, so that other load on the machine affects them
            alike. Defaults to 50.

    Returns:
        dict[str, float]: Median in milliseconds by variant.
    """
    device = study_device()
    networks = {variant: _network(study, variant, device) for variant in study.variants}
    image = torch.rand(1, 3, study.image_size, study.image_size, device=device)
    times: Dict[str, List[float]] = {variant: [] for variant in networks}
    watch = StopWatch(device)
    for index in trange(-_WARM_UP, num_rounds, desc='latency', unit='round'):
        for variant, network in networks.items():
            watch('forward', lambda network=network: network(image))
            if index >= 0:
                times[variant].append(watch.milliseconds['forward'])
    return {variant: statistics.median(values) for variant, values in times.items()}


def _network(study: Study, variant: str, device: torch.device) -> torch.nn.Module:
    cfg = model_config(study, variant)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmyolo')):
        return switch_to_deploy(MODELS.build(cfg.model)).to(device)
