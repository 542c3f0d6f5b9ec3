"""Report a model's layers and cost as a table or JSON."""
import json
from pathlib import Path
from typing import Union

from rich import box
from rich.table import Table

from mmseam.utils.atomic_write import atomic_write

from .complexity import ModelComplexity
from .console import wide_console


def totals(complexity: ModelComplexity) -> str:
    """Describe parameters and GFLOPs, one line each.

    Args:
        complexity (ModelComplexity): Result of :func:`model_complexity`.

    Returns:
        str: The text.
    """
    fixed = complexity.fixed_weights
    lines = [f'parameters: {complexity.parameters:,} trainable']
    if fixed:
        lines[0] += (f'; {complexity.parameters + fixed:,} with the {fixed} fixed weights of the DFL layer, '
                     'a buffer here')
    height, width = complexity.img_size
    if complexity.gflops is None:
        lines.append('GFLOPs: not counted, this type of detector needs an image')
    else:
        lines.append(f'GFLOPs at {height}×{width} (height×width): {complexity.gflops:.2f} for convolutions and linear '
                     f'layers; {complexity.gflops_with_attention:.2f} with the products of self-attention')
    return '\n'.join(lines)


def print_layers(complexity: ModelComplexity) -> None:
    """Print the layer table and the totals.

    Args:
        complexity (ModelComplexity): Result of :func:`model_complexity`.
    """
    console = wide_console()
    table = Table(box=box.SIMPLE)
    for name, justify in (('index', 'right'), ('from', 'right'), ('parameters', 'right'), ('module', 'left'),
                          ('arguments', 'left')):
        table.add_column(name, justify=justify)
    for row in complexity.rows:
        source = row.source if isinstance(row.source, int) else list(row.source)
        table.add_row(str(row.index), f'{source}'.replace('[', r'\['), f'{row.parameters}', row.module,
                      f'{row.arguments}'.replace('[', r'\['))
    console.print(table)
    console.print(totals(complexity), highlight=False)


def write_layers(complexity: ModelComplexity, path: Union[str, Path]) -> None:
    """Write layers and totals as JSON.

    Args:
        complexity (ModelComplexity): Result of :func:`model_complexity`.
        path (str or Path): The file to write.
    """
    content = complexity._asdict()
    content['rows'] = [row._asdict() for row in complexity.rows]
    with atomic_write(path) as file:
        json.dump(content, file, indent=2)
        file.write('\n')
