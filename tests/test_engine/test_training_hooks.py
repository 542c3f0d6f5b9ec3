"""Hooks that follow the runner: schedule, closing mosaic, learning curve, progress line."""
import csv
from types import SimpleNamespace

import cv2
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmdet.datasets import MultiImageMixDataset
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import TRANSFORMS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from mmseam.engine import CloseMosaicHook, LearningCurveHook, ProgressBarHook


class Line(BaseModel):
    """y = w x, whose loss goes down by gradient descent."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.bias = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, sample_idx, mode):
        distance = (self.weight + self.bias - 1).square()
        return dict(loss=distance, loss_line=distance) if mode == 'loss' else [distance]


class Distance(BaseMetric):
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results.append(float(data_samples[0]))

    def compute_metrics(self, results):
        return dict(AP=1 - results[0], AP_s=-1.0)


class Numbers(BaseDataset):

    def load_data_list(self):
        return [dict(inputs=torch.zeros(1)) for _ in range(4)]

    def get_cat_ids(self, idx):
        return [0]


def train(work_dir, epochs, hooks, **kwargs):
    loader = dict(batch_size=1, dataset=dict(type=Numbers, serialize_data=False), sampler=dict(type='DefaultSampler'))
    runner = Runner(
        Line(), str(work_dir), train_dataloader=loader, val_dataloader=loader, val_evaluator=dict(type=Distance),
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=2), val_cfg={},
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=.1, momentum=.9)), custom_hooks=hooks,
        experiment_name=f'{work_dir.name}_{epochs}', cfg=Config(), **kwargs)
    runner.train()
    return runner


def read_table(folder):
    with open(folder / 'learning_curve.csv', newline='') as file:
        return list(csv.DictReader(file))


def test_learning_curve_holds_every_epoch_and_goes_on_after_resuming(tmp_path):
    train(tmp_path, 3, [LearningCurveHook()])
    rows = read_table(tmp_path)
    assert [float(row['epoch']) for row in rows] == [1, 2, 3]
    assert [bool(row['toy/AP']) for row in rows] == [False, True, True]  # validated every second and the last epoch
    losses = [float(row['loss']) for row in rows]
    assert losses[0] > losses[1] > 0 and float(rows[0]['lr']) == .1
    assert cv2.imread(str(tmp_path / 'learning_curve.png')).shape[1] > 600

    train(tmp_path, 4, [LearningCurveHook()], resume=True, load_from=str(tmp_path / 'epoch_2.pth'))
    again = read_table(tmp_path)
    assert [float(row['epoch']) for row in again] == [1, 2, 3, 4]
    assert again[:2] == rows[:2]


def test_a_new_training_starts_a_new_curve(tmp_path):
    train(tmp_path, 2, [LearningCurveHook()])
    train(tmp_path, 1, [LearningCurveHook()])
    assert len(read_table(tmp_path)) == 1


def test_progress_line_counts_iterations(tmp_path, capsys):
    train(tmp_path, 2, [ProgressBarHook()])
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert 'epoch 2/2' in last and '8/8' in last and 'loss=' in last


@TRANSFORMS.register_module()
class Mark(BaseTransform):
    """Adds its value to what the model gets."""

    def __init__(self, value):
        self.value = value

    def transform(self, results):
        return dict(inputs=results['inputs'] + self.value, sample_idx=results['sample_idx'])


class Recorder(Line):
    """Keeps what it gets."""

    def __init__(self):
        super().__init__()
        self.inputs = []

    def forward(self, inputs, sample_idx, mode):
        self.inputs.append(float(torch.stack(list(inputs)).mean()))
        return super().forward(inputs, sample_idx, mode)


MOSAIC, LAST = [dict(type='Mark', value=1)], [dict(type='Mark', value=2)]
NUMBERS = dict(type=Numbers, serialize_data=False, pipeline=MOSAIC, metainfo=dict(classes=('a', )))
WRAPPED = dict(
    plain=NUMBERS,
    repeat=dict(type='RepeatDataset', times=2, dataset=NUMBERS),
    concat=dict(type='ConcatDataset', datasets=[NUMBERS, dict(type='RepeatDataset', times=2, dataset=NUMBERS)]),
    balanced=dict(type='ClassBalancedDataset', oversample_thr=.1, dataset=NUMBERS),
    mixed=dict(type=MultiImageMixDataset, dataset=dict(NUMBERS, pipeline=[]), pipeline=MOSAIC))


def train_with_mosaic(work_dir, dataset, epochs, last, num_workers):
    """Train; returns what the model got in each epoch."""
    model, hook = Recorder(), CloseMosaicHook(num_last_epochs=last)
    loader = dict(batch_size=1, dataset=dataset, sampler=dict(type='DefaultSampler'), num_workers=num_workers,
                  persistent_workers=num_workers > 0)
    Runner(model, str(work_dir), train_dataloader=loader, train_cfg=dict(by_epoch=True, max_epochs=epochs),
           optim_wrapper=dict(optimizer=dict(type='SGD', lr=.1)), custom_hooks=[hook], experiment_name=work_dir.name,
           cfg=Config(dict(train_pipeline_stage2=LAST))).train()
    steps = len(model.inputs) // epochs
    return [set(model.inputs[i:i + steps]) for i in range(0, len(model.inputs), steps)]


@pytest.mark.parametrize('epochs, last, closed', [(3, 1, 1), (9, 2, 2), (8, 10, 2), (2, 10, 0)])
def test_mosaic_is_closed_for_the_last_epochs_but_at_most_for_a_third(tmp_path, epochs, last, closed):
    assert train_with_mosaic(tmp_path, NUMBERS, epochs, last, 0) == [{1}] * (epochs - closed) + [{2}] * closed


@pytest.mark.parametrize('num_workers', [0, 1], ids=['this process', 'persistent worker'])
@pytest.mark.parametrize('name', WRAPPED)
def test_mosaic_is_closed_inside_wrappers_and_workers(tmp_path, name, num_workers):
    assert train_with_mosaic(tmp_path, WRAPPED[name], 3, 1, num_workers) == [{1}, {1}, {2}]


def test_mosaic_hook_that_can_change_nothing_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match='list has no pipeline'):
        train_with_mosaic(tmp_path, [dict(inputs=torch.zeros(1), sample_idx=0)] * 2, 3, 1, 0)
    with pytest.raises(ValueError, match='counts epochs, which IterBasedTrainLoop does not'):
        CloseMosaicHook().before_train(SimpleNamespace(train_loop=IterBasedTrainLoop.__new__(IterBasedTrainLoop)))
    loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    with pytest.raises(KeyError, match='train_pipeline_stage2'):
        CloseMosaicHook().before_train(SimpleNamespace(cfg=Config(), max_epochs=3, train_loop=loop))
