"""Print a benchmark as a table or write it as JSON."""
from pathlib import Path
from typing import Iterator, Tuple, Union

from rich import box
from rich.table import Table

from mmseam.utils.atomic_write import atomic_write
from mmseam.utils.strict_json import dump_json

from ..console import wide_console


def write_report(report: dict, folder: Union[str, Path]) -> Path:
    """Write ``benchmark.json``.

    Args:
        report (dict): Result of :func:`~mmseam.analysis.benchmark.measure.benchmark`.
        folder (str or Path): The output folder.

    Returns:
        Path: The file written.
    """
    path = Path(folder, 'benchmark.json')
    with atomic_write(path) as file:
        file.write(dump_json(report))
    return path


def print_report(report: dict) -> None:
    """Print the benchmark as a table.

    Args:
        report (dict): Result of :func:`~mmseam.analysis.benchmark.measure.benchmark`.
    """
    table = Table(box=box.SIMPLE, show_header=False)
    for name, value in _rows(report):
        table.add_row(name, value)
    wide_console().print(table, markup=False)


def _rows(report: dict) -> Iterator[Tuple[str, str]]:
    yield from ((name, f'{value:.4f}') for name, value in report['metrics'].items())
    yield 'protocol', report['protocol']['text']
    parameters, gflops = report['parameters'], report['gflops']
    if parameters is not None:
        yield 'parameters', f'{parameters["trainable"]:,} ({parameters["with_fixed_weights"]:,} with fixed weights)'
    if gflops is not None and gflops['convolution_and_linear'] is not None:
        yield (f'GFLOPs at {"x".join(map(str, gflops["img_size"]))}', f'{gflops["convolution_and_linear"]:.2f} '
               f'({gflops["with_attention_products"]:.2f} with the products of self-attention)')
    for stage, times in report['latency_ms'].items():
        if isinstance(times, dict):
            yield f'{stage}, ms', f'median {times["median"]:.2f}, 95th percentile {times["p95"]:.2f}'
    rates = report['images_per_second']
    yield 'images per second', f'{rates["without_loading"]:.1f} ({rates["with_loading"]:.1f} with loading), batch 1'
    environment = report['environment']
    yield 'device', f'{environment["device"]}, {environment["threads"]} CPU threads'
    yield 'torch', environment['torch']
