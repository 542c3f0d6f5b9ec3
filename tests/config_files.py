"""The configs of this repository, for the tests that walk over them."""
import re
from pathlib import Path

import torch
import torch.nn as nn
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.registry import DefaultScope
from torch.utils.flop_counter import FlopCounterMode

from mmseam.registry import MODELS

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs'
#: Configs to train with; what lies below ``_base_`` is a part of them.
LEAVES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
#: Folders of these configs, one family each.
FAMILIES = sorted({path.parent for path in LEAVES})


def size_of(config: Path) -> str:
    """Model size in a config's name: n, s, m, l or x."""
    return re.match(r'yolo11_([nsmlx])_', config.stem).group(1)


def metadata_of(config: Path) -> dict:
    """Return the config's entry in the metafile of its family."""
    entries = [m for m in load(config.parent / 'metafile.yml')['Models'] if m['Name'] == config.stem]
    assert len(entries) == 1, f'{config.parent.name}/metafile.yml has {len(entries)} entries for {config.stem}'
    return entries[0]


def build_model(cfg: Config, device: str = 'cpu') -> nn.Module:
    """Build the config's model as the runner does."""
    with DefaultScope.overwrite_default_scope(cfg.default_scope), torch.device(device):
        return MODELS.build(cfg.model)


def count_parameters(model: nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def forward_flops(model: nn.Module, image: torch.Tensor) -> int:
    """Twice the multiply-accumulates of the convolutions and linear layers that ``image`` passes."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image, mode='tensor')
    counts = counter.get_flop_counts()['Global']
    return sum(counts[op] for op in counts if op.__name__ in ('convolution', 'mm', 'addmm'))
