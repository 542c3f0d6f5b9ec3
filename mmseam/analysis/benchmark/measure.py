"""Benchmark a tested detector: metrics, parameters, GFLOPs and latency."""
import platform
from pathlib import Path
from typing import Dict, Sequence

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmseam.inference.exported_detector import ExportedDetector
from mmseam.version import __version__

from ..complexity import model_complexity
from ..latency import NETWORK_STAGES, Latency, measure_latency, model_device
from .protocol import protocol


def benchmark(runner: Runner, metrics: Dict[str, float]) -> dict:
    """Benchmark the model of a finished test.

    Args:
        runner (Runner): A runner that has finished ``test``.
        metrics (Dict[str, float]): Return value of ``test``.

    Returns:
        dict: JSON-serializable report: ``config``, ``checkpoint``, ``metrics``, ``protocol``, ``parameters``,
        ``gflops``, ``latency_ms`` (median and 95th percentile per stage), ``images_per_second`` and ``environment``.
        For an exported file ``parameters`` and ``gflops`` are None.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    latency = measure_latency(model.eval(), runner.test_dataloader.dataset)
    img_size = latency.input_shapes.most_common(1)[0][0]
    return dict(
        config=str(runner.cfg.filename),
        checkpoint=str(getattr(model, 'file', runner.cfg.load_from)),
        metrics={name: float(value) for name, value in metrics.items()},
        protocol=protocol(runner.cfg, latency.input_shapes),
        **_size(model, runner.cfg, img_size),
        latency_ms=_latency(latency),
        images_per_second=_rates(latency),
        environment=_environment(model_device(model)))


def _size(model: nn.Module, cfg: Config, img_size: Sequence[int]) -> dict:
    """Return parameters and GFLOPs; None for an exported file, which does not contain them."""
    if isinstance(model, ExportedDetector):
        return dict(parameters=None, gflops=None)
    complexity = model_complexity(cfg, img_size)
    return dict(
        parameters=dict(
            trainable=complexity.parameters, with_fixed_weights=complexity.parameters + complexity.fixed_weights),
        gflops=dict(
            img_size=list(img_size),
            convolution_and_linear=complexity.gflops,
            with_attention_products=complexity.gflops_with_attention))


def _latency(latency: Latency) -> dict:
    stages = {stage: _summary(times) for stage, times in latency.stages.items()}
    return dict(stages, total=_summary(sum(latency.stages.values())), images=len(latency.stages['load']),
                warm_up_images=latency.warm_up, batch_size=1)


def _summary(milliseconds: np.ndarray) -> Dict[str, float]:
    return dict(median=float(np.median(milliseconds)), p95=float(np.percentile(milliseconds, 95)))


def _rates(latency: Latency) -> Dict[str, float]:
    """Compute images per second over the dataset at batch size 1."""
    network = sum(times for stage, times in latency.stages.items() if stage in NETWORK_STAGES)
    return dict(without_loading=float(1000 / network.mean()),
                with_loading=float(1000 / sum(latency.stages.values()).mean()))


def _environment(device: torch.device) -> dict:
    return dict(device=device_name(device), threads=torch.get_num_threads(), torch=torch.__version__,
                cuda=torch.version.cuda, mmseam=__version__, python=platform.python_version())


def device_name(device: torch.device) -> str:
    """Return the name of a GPU, or for other devices of the processor.

    Args:
        device (torch.device): The device.

    Returns:
        str: The name.
    """
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    return processor_name()


def processor_name() -> str:
    """Return the name of the processor.

    Returns:
        str: The model name, or the architecture if the system reports no model.
    """
    info = Path('/proc/cpuinfo')
    lines = info.read_text(encoding='utf-8').splitlines() if info.is_file() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()
