"""The least training there is, by the public function: a line whose loss falls, with validation and checkpoints."""
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS

NUM_BATCHES = 4


@MODELS.register_module()
class Line(BaseModel):
    """Brings the mean of its weights to 1.

    Args:
        size (int): Number of weights. Defaults to 1.
    """

    def __init__(self, size: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.weight = torch.nn.Parameter(torch.zeros(size))

    def forward(self, inputs, sample_idx, mode):
        distance = (self.weight.mean() + inputs[0].sum() - 1).square()
        return dict(loss=distance, loss_line=distance) if mode == 'loss' else [distance]


@METRICS.register_module()
class Closeness(BaseMetric):
    """Grows in the training, so that each validation makes a best checkpoint."""

    default_prefix = 'line'

    def process(self, data_batch, data_samples):
        self.results.append(float(data_samples[0]))

    def compute_metrics(self, results):
        return dict(AP=1 - results[0], loss=results[0])


@DATASETS.register_module()
class Zeros(BaseDataset):

    def __init__(self, number: int = NUM_BATCHES, **kwargs):
        self.number = number
        super().__init__(**kwargs)

    def load_data_list(self):
        return [dict(inputs=torch.zeros(1)) for _ in range(self.number)]


def line_config(work_dir: Path, epochs: int, *, size: int = 1, hooks: list = (), checkpoint: dict = None) -> Config:
    """Config of a training with a checkpoint and a validation an epoch.

    Args:
        work_dir (Path): The work folder.
        epochs (int): Length.
        size (int): Number of weights. Defaults to 1.
        hooks (list): Custom hooks. Defaults to ().
        checkpoint (dict, optional): Arguments of the checkpoint hook. Defaults to None.

    Returns:
        Config: For :func:`mmseam.engine.training.train`.
    """
    _wait_for_a_new_second()
    loader = dict(
        batch_size=1, num_workers=0, dataset=dict(type='Zeros', serialize_data=False),
        sampler=dict(type='DefaultSampler', shuffle=True))
    saving = dict(type='mmseam.CheckpointHook', interval=1, max_keep_ckpts=1, save_best='auto', rule='greater')
    return Config(dict(
        model=dict(type='Line', size=size), work_dir=str(work_dir), train_dataloader=loader, val_dataloader=loader,
        val_evaluator=dict(type='Closeness'), val_cfg=dict(),
        train_cfg=dict(type='mmseam.ResumableTrainLoop', max_epochs=epochs, val_interval=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=.1 * size, momentum=.1)),
        default_hooks=dict(checkpoint={**saving, **(checkpoint or {})}), custom_hooks=list(hooks),
        default_scope='mmyolo', experiment_name=work_dir.name))


def _wait_for_a_new_second() -> None:
    """MMEngine names log folders and loggers by the second, so that two trainings within one would share them."""
    second = int(time.time())
    while int(time.time()) == second:
        time.sleep(.01)
