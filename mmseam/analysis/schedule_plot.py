"""Plot schedules, and read recorded ones to compare them with."""
import json
import math
from pathlib import Path
from typing import List, Mapping, Union

import numpy as np

from mmseam.utils.atomic_write import atomic_write

from .schedule_trace import ScheduleTrace

_PANELS = ('rate of weights', 'rate of biases', 'momentum', 'batches per step')
_STYLES = (dict(linestyle='-', linewidth=3.5, alpha=0.4), dict(linestyle='none', marker='.', markersize=3))
_WARM_UP_EPOCHS = 5


def read_schedule(path: Union[str, Path]) -> ScheduleTrace:
    """Read a schedule recorded by ``benchmarks/peer/training_driver.py trace``.

    Args:
        path (str or Path): The json file.

    Returns:
        ScheduleTrace: The trace.

    Raises:
        ValueError: The file does not contain such a schedule.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        table = np.array(_repeated(content['settings']), dtype=float)
        decay, optimizer = float(content['weight_decay']), str(content['chosen'])
        number = math.ceil(content['images'] / content['batch']) * content['epochs']
        if 'iterations' in content:
            iterations, stepped = np.array(content['iterations']), np.array(_repeated(content['stepped']))
        else:
            iterations, stepped = np.arange(len(table)), np.zeros(len(table), dtype=bool)
            stepped[np.cumsum(_repeated(content['step_intervals'])) - 1] = True
        if not len(iterations) == len(table) == len(stepped) or not 0 <= iterations.min() <= iterations.max() < number:
            raise ValueError(f'{len(table)} settings of {number} iterations')
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f'{path}: not a schedule of benchmarks/peer/training_driver.py ({error})') from None
    return ScheduleTrace(iterations, number, table[:, :3], table[:, 3], table[:, 4].astype(int), stepped,
                         (decay, 0.0, 0.0), optimizer)


def _repeated(runs: List[list]) -> list:
    return [value for value, number in runs for _ in range(number)]


def largest_differences(one: ScheduleTrace, other: ScheduleTrace) -> Mapping[str, float]:
    """Return the largest absolute difference between two schedules, by quantity.

    Args:
        one (ScheduleTrace): A schedule in all iterations.
        other (ScheduleTrace): A schedule of a training with the same number of iterations, in all or some of them.

    Raises:
        ValueError: Their numbers of iterations differ.
    """
    if one.num_iterations != other.num_iterations:
        raise ValueError(f'the schedules have {one.num_iterations} and {other.num_iterations} iterations')
    return {name: float(np.nanmax(np.abs(getattr(one, name)[other.iterations] * 1. - getattr(other, name)), initial=0))
            for name in ('rates', 'momentum', 'accumulation', 'stepped')}


def plot_schedules(traces: Mapping[str, ScheduleTrace], epochs: int, path: Union[str, Path]) -> None:
    """Plot learning rates, momentum and accumulation by epoch: the whole training above, its first epochs below.

    Args:
        traces (Mapping[str, ScheduleTrace]): One or two schedules of the same length, by name. The second is drawn as
            points.
        epochs (int): Number of epochs of the training.
        path (str or Path): The PNG file to write.
    """
    # Imported here because matplotlib takes longer to import than the rest of this module, and tracing does not need it
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(16, 7), layout='constrained')
    FigureCanvasAgg(figure)
    rows = figure.subplots(2, len(_PANELS))
    for axes_row, end in zip(rows, (epochs, min(_WARM_UP_EPOCHS, epochs))):
        for axes, index in zip(axes_row, range(len(_PANELS))):
            for (name, trace), style in zip(traces.items(), _STYLES):
                positions = trace.iterations * epochs / trace.num_iterations
                shown = positions < end
                axes.plot(positions[shown], _curves(trace)[index][shown], **style, label=name)
            axes.set(title=_PANELS[index], xlabel='epoch')
            axes.grid(color='0.9')
    rows[0][0].legend(loc='upper right')  # 'best' is slow with many points
    with atomic_write(path, 'wb') as file:
        figure.savefig(file, format='png', dpi=100)


def _curves(trace: ScheduleTrace) -> List[np.ndarray]:
    return [trace.rates[:, 0], trace.rates[:, 2], trace.momentum, trace.accumulation]
