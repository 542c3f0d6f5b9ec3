"""Write the learning curve as a table and a plot."""
import csv
from pathlib import Path
from typing import Dict, List, Optional

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseam.registry import HOOKS
from mmseam.utils.atomic_write import atomic_write


@HOOKS.register_module()
class LearningCurveHook(Hook):
    """Update ``learning_curve.csv`` and ``learning_curve.png`` in the work folder.

    One row per epoch: epoch, learning rate, mean losses of the epoch and the metrics of the validation, if any. A
    resumed training continues with the rows up to its checkpoint.
    """

    # After the checkpoint hook, so that a disk error loses no checkpoint; after EMA and logger as well.
    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.rows: List[Dict[str, float]] = []

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Load the rows of a resumed training."""
        table = Path(runner.work_dir, 'learning_curve.csv')
        if runner.epoch > 0 and table.exists():
            with table.open(newline='', encoding='utf-8') as file:
                rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
            self.rows = [dict(row, epoch=int(row['epoch'])) for row in rows if row['epoch'] <= runner.epoch]

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        """Add the row of this epoch."""
        row = dict(epoch=runner.epoch + 1, lr=runner.optim_wrapper.get_lr()['lr'][0])
        iterations = len(runner.train_dataloader)
        for name, scalar in runner.message_hub.log_scalars.items():
            if name.startswith('train/loss') or name == 'train/grad_norm':
                row[name.split('/', 1)[1]] = scalar.mean(iterations)
        self.rows.append(row)
        self._write(Path(runner.work_dir))

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Add the metrics to the last row and redraw the plot."""
        if not self.rows or not metrics:
            return
        self.rows[-1].update({k: float(v) for k, v in metrics.items() if isinstance(v, (int, float))})
        folder = Path(runner.work_dir)
        self._write(folder)
        draw_learning_curve(self.rows, folder / 'learning_curve.png')

    def _write(self, folder: Path) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with atomic_write(folder / 'learning_curve.csv', newline='') as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)


def draw_learning_curve(rows: List[Dict[str, float]], path: Path) -> None:
    """Draw losses and metrics over the epochs.

    Args:
        rows (list[dict]): Rows with ``epoch``, losses (``loss…``) and metrics (``…/…``); missing values are skipped.
        path (Path): PNG file to write.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    panels = {'loss': [name for name in names if name.startswith('loss')]}
    for name in main_metrics(names):
        panels.setdefault(name.split('/')[0], []).append(name)  # one panel per metric class, because their units differ
    figure = Figure(figsize=(5.5 * len(panels), 4), layout='constrained')
    FigureCanvasAgg(figure)
    for axes, (label, shown) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        for name in shown:
            points = [(row['epoch'], row[name]) for row in rows if row.get(name, -1) >= 0]
            if points:
                axes.plot(*zip(*points), marker='.', label=name.split('/')[-1])
        axes.set(xlabel='epoch', ylabel=label)
        axes.grid(alpha=.3)
        if axes.lines:
            axes.legend()
    with atomic_write(path, 'wb') as file:
        figure.savefig(file, format='png', dpi=120)


def main_metrics(names: List[str]) -> List[str]:
    """Return the metrics to plot: all except COCO's AP by object size."""
    return [name for name in names if '/' in name and not name.endswith(('_s', '_m', '_l', '_mAP_copypaste'))]
