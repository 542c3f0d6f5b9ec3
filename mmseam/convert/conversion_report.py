"""Report of a checkpoint conversion."""
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Tuple

_LEVELS = re.compile(r'\.(cv[23]|reg_preds|cls_preds)\.\d+\.(\d+)\..*')


class SkippedTensor(NamedTuple):
    """A tensor that was not converted, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class ConversionReport:
    """Result of a checkpoint conversion; ``str()`` returns a readable summary.

    Attributes:
        source (str): Description of the checkpoint.
        license (str): License of the weights.
        taken (tuple[str]): Target names of the converted tensors.
        skipped (tuple[SkippedTensor]): Source tensors that were not converted.
        initialized (dict, optional): Number of elements of each target parameter that keeps its
            initialization. None for a conversion without a config.
    """

    source: str
    license: str
    taken: Tuple[str, ...]
    skipped: Tuple[SkippedTensor, ...]
    initialized: Optional[Dict[str, int]]

    def __str__(self) -> str:
        return '\n'.join([
            f'source: {self.source}', f'license of the weights: {self.license}', f'taken: {_tensors(len(self.taken))}',
            *self._skipped_lines(), *self._initialized_lines()
        ])

    def _skipped_lines(self) -> List[str]:
        groups: Dict[Tuple[str, str], int] = defaultdict(int)
        for tensor in self.skipped:
            groups[module_group(tensor.name), tensor.reason] += 1
        lines = [f'  {group}: {_tensors(count)}, {reason}' for (group, reason), count in groups.items()]
        return [f'skipped: {_tensors(len(self.skipped))} of the source', *lines]

    def _initialized_lines(self) -> List[str]:
        if self.initialized is None:
            return []
        groups: Dict[str, List[int]] = defaultdict(list)
        for name, numel in self.initialized.items():
            groups[module_group(name)].append(numel)
        lines = [f'  {group}: {sum(numels):,} in {_tensors(len(numels))}' for group, numels in groups.items()]
        return [f'left at their initialization: {sum(self.initialized.values()):,} parameters', *lines]


def _tensors(count: int) -> str:
    return f'{count} tensor' if count == 1 else f'{count} tensors'


def module_group(name: str) -> str:
    """Return the part of the network that a parameter belongs to; the levels of a head are merged.

    Args:
        name (str): For example 'model.23.cv3.0.1.0.conv.weight' or 'backbone.stage1.0.conv.weight'.

    Returns:
        str: For example 'model.23.cv3.*.1' or 'backbone.stage1.0'.
    """
    merged = _LEVELS.sub(r'.\1.*.\2', name)
    return merged if merged != name else '.'.join(name.split('.')[:-1][:3])
