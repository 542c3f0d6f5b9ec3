"""Plot schedules, and read recorded ones to compare them with."""
import json
from pathlib import Path
from typing import List, Mapping, Union

import numpy as np

from mmseam.utils.atomic_write import atomic_write

from .schedule_trace import ScheduleTrace

_PANELS = ('rate of weights', 'rate of biases', 'momentum', 'batches per step')
_LINES = (('-', 3.5, 0.4), ('--', 1.5, 1.0))  # style, width and opacity; both curves stay visible where they coincide
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
        table = np.array([row for row, number in content['settings'] for _ in range(number)], dtype=float)
        intervals = [length for length, number in content['step_intervals'] for _ in range(number)]
        decay, optimizer = float(content['weight_decay']), str(content['chosen'])
        stepped = np.zeros(len(table), dtype=int)
        stepped[np.cumsum(intervals) - 1] = 1
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f'{path}: not a schedule of benchmarks/peer/training_driver.py ({error})') from None
    return ScheduleTrace(table[:, :3], table[:, 3], table[:, 4].astype(int), stepped.cumsum(), (decay, 0.0, 0.0),
                         optimizer)


def largest_differences(one: ScheduleTrace, other: ScheduleTrace) -> Mapping[str, float]:
    """Return the largest absolute difference between two schedules over all iterations, by quantity.

    Args:
        one (ScheduleTrace): A schedule.
        other (ScheduleTrace): Another schedule with the same number of iterations.

    Raises:
        ValueError: Their numbers of iterations differ.
    """
    if len(one.rates) != len(other.rates):
        raise ValueError(f'the schedules have {len(one.rates)} and {len(other.rates)} iterations')
    return {name: float(np.nanmax(np.abs(getattr(one, name) - getattr(other, name)), initial=0))
            for name in ('rates', 'momentum', 'accumulation', 'steps')}


def plot_schedules(traces: Mapping[str, ScheduleTrace], epochs: int, path: Union[str, Path]) -> None:
    """Plot learning rates, momentum and accumulation by epoch: the whole training above, its first epochs below.

    Args:
        traces (Mapping[str, ScheduleTrace]): One or two schedules of the same length, by name.
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
            for (name, trace), (style, width, opacity) in zip(traces.items(), _LINES):
                values = _curves(trace)[index]
                number = max(round(len(values) * end / epochs), 1)
                axes.plot(np.arange(number) * epochs / len(values), values[:number], style, linewidth=width,
                          alpha=opacity, label=name)
            axes.set(title=_PANELS[index], xlabel='epoch')
            axes.grid(color='0.9')
    rows[0][0].legend()
    with atomic_write(path, 'wb') as file:
        figure.savefig(file, format='png', dpi=100)


def _curves(trace: ScheduleTrace) -> List[np.ndarray]:
    return [trace.rates[:, 0], trace.rates[:, 2], trace.momentum, trace.accumulation]
