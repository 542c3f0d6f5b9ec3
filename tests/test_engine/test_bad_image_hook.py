"""``BadImageHook`` in a real training run with worker processes."""
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from wider_face_files import face, truncate, write_image, write_wider_face

from mmseam.datasets import LoadIntactImage
from mmseam.engine import BadImageHook


class MeanModel(BaseModel):
    """The least that trains."""

    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, data_samples=None, mode='loss'):
        return dict(loss=(inputs.float().mean() - self.bias).abs())


def train(tmp_path, loop, bad, **validation):
    split = write_wider_face(tmp_path / 'data', {f'e/{i}.jpg': [face(10, 10, 20, 20)] for i in range(8)})
    load = [dict(type='mmseam.LoadIntactImage'), dict(type='LoadAnnotations', with_bbox=True)]
    pipeline = [
        *load,
        dict(type='Mosaic', img_scale=(64, 64), pre_transform=load),
        dict(type='mmdet.PackDetInputs', meta_keys=('img_id', ))
    ]
    for i in bad:
        truncate(tmp_path / 'data' / 'WIDER_train' / 'images' / 'e' / f'{i}.jpg')
    with DefaultScope.overwrite_default_scope('mmyolo'):
        runner = Runner(
            MeanModel(),
            str(tmp_path / 'work'),
            train_dataloader=dict(
                batch_size=2,
                num_workers=2,
                sampler=dict(type='DefaultSampler' if loop.get('by_epoch') else 'InfiniteSampler', shuffle=True),
                collate_fn=dict(type='mmseam.yolo_collate'),
                dataset=dict(type='mmseam.WIDERFaceDataset', pipeline=pipeline, **split)),
            train_cfg=loop,
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=[dict(type='mmseam.BadImageHook')],
            default_scope='mmyolo',
            **validation,
            experiment_name=tmp_path.name)
        runner.train()
    return runner


@pytest.mark.parametrize('loop', [dict(by_epoch=True, max_epochs=2), dict(by_epoch=False, max_iters=12)],
                         ids=['epochs', 'iterations'])
def test_bad_images_are_counted_and_named(tmp_path, loop):
    runner = train(tmp_path, loop, bad=[2, 5])
    report = (tmp_path / 'work' / 'bad_images.txt').read_text().splitlines()
    assert [Path(line.split('\t')[0]).name for line in report] == ['2.jpg', '5.jpg']
    assert all('truncated' in line for line in report)
    log = next((tmp_path / 'work').glob('*/*.log')).read_text()
    assert '2 images could not be read and were replaced by other samples' in log
    assert 'e/2.jpg' in log and 'e/5.jpg' in log
    hook = next(hook for hook in runner.hooks if isinstance(hook, BadImageHook))
    assert not Path(hook._log_file).exists()


class OneImage:
    """A dataset whose samples are all of the same image."""

    def __init__(self, path):
        self.path = path
        write_image(path)

    def __len__(self):
        return 1

    def get_data_info(self, _):
        return dict(img_path=str(self.path))


def test_names_with_odd_characters_are_reported(tmp_path, caplog):
    data = OneImage(tmp_path / 'good.jpg')
    hook = BadImageHook()
    odd = [f'{tmp_path}/tab\t.jpg', f'{tmp_path}/line\n.jpg', f'{tmp_path}/no text \udcff.jpg']
    for path in odd:
        with pytest.warns(UserWarning, match='bad image'):
            LoadIntactImage().transform(dict(img_path=path, dataset=data))
    hook.after_train(SimpleNamespace(work_dir=str(tmp_path), logger=logging.getLogger('test')))
    for text in ((tmp_path / 'bad_images.txt').read_text(), caplog.text):
        assert 'no text \\udcff.jpg' in text


def test_files_that_killed_trainings_left_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    ended = subprocess.Popen([sys.executable, '-c', ''])
    ended.wait()
    of_the_dead, of_the_living = (tmp_path / f'mmseam_bad_images_{pid}_x.jsonl' for pid in (ended.pid, os.getppid()))
    for path in (of_the_dead, of_the_living):
        path.touch()
    hook = BadImageHook()
    assert set(tmp_path.iterdir()) == {of_the_living, Path(hook._log_file)}


def test_nothing_is_written_when_all_images_are_good(tmp_path):
    train(tmp_path, dict(by_epoch=True, max_epochs=1), bad=[])
    assert not (tmp_path / 'work' / 'bad_images.txt').exists()
    assert 'could not be read' not in next((tmp_path / 'work').glob('*/*.log')).read_text()


def test_an_unreadable_validation_image_is_named_and_the_report_is_kept(tmp_path):
    split = write_wider_face(tmp_path / 'data', {'e/val.jpg': [face(10, 10, 20, 20)]}, 'val')
    image = tmp_path / 'data' / 'WIDER_val' / 'images' / 'e' / 'val.jpg'
    truncate(image)
    pipeline = [dict(type='mmseam.LoadIntactImage'), dict(type='mmdet.PackDetInputs')]
    loader = dict(batch_size=1, num_workers=1, sampler=dict(type='DefaultSampler', shuffle=False),
                  dataset=dict(type='mmseam.WIDERFaceDataset', test_mode=True, pipeline=pipeline, **split))
    with pytest.raises(OSError, match=f'{image}: the JPEG file is truncated'):
        train(tmp_path, dict(by_epoch=True, max_epochs=2), bad=[2], val_dataloader=loader, val_cfg=dict(),
              val_evaluator=dict(type='mmseam.WIDERFaceMetric'))
    assert '2.jpg' in (tmp_path / 'work' / 'bad_images.txt').read_text()
