"""Latency, protocol and report of a benchmark."""
import json
import time
from collections import Counter

import numpy as np
import pytest
from torch import nn

from mmseam.analysis.benchmark.protocol import protocol
from mmseam.analysis.benchmark.report import write_report
from mmseam.analysis.latency import measure_latency
from mmseam.utils.config import load_config


class SlowDetector(nn.Module):
    """A detector that cannot be split into stages; the first pass takes long, as on a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(1, 1).weight)
        self.passes = 0

    def data_preprocessor(self, data: dict, training: bool) -> dict:
        assert not training
        inputs = data['inputs'][0][None]
        return dict(inputs=inputs, data_samples=data['data_samples'])

    def predict(self, inputs, samples) -> list:
        time.sleep(0.01 if self.passes else 0.2)
        self.passes += 1
        return []


class SlowDataset:

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> dict:
        time.sleep(0.02)
        return dict(inputs=nn.Parameter(nn.Linear(32, 3 * (8 + index // 4)).weight.reshape(3, -1, 32)), data_samples=0)


def test_stages_are_timed_without_the_warm_up():
    model = SlowDetector()
    latency = measure_latency(model, SlowDataset(), warm_up=2)
    assert model.passes == 7
    assert {stage: len(times) for stage, times in latency.stages.items()} == dict(load=5, preprocess=5, forward=5)
    assert latency.input_shapes == Counter({(8, 32): 4, (9, 32): 1})
    # sleep() never returns early; without the warm-up the first pass would be ten times as long
    assert (latency.stages['load'] >= 20).all()
    assert (latency.stages['forward'] >= 10).all()
    assert np.median(latency.stages['forward']) < 150


def test_protocol_tells_what_the_figures_depend_on():
    cfg = load_config('yolo11_n_syncbn_fast_8xb16-250e_widerface')
    cfg.test_evaluator = [dict(type='mmdet.CocoMetric', metric='bbox'), dict(type='mmdet.VOCMetric', iou_thrs=0.5)]
    found = protocol(cfg, Counter({(640, 640): 9, (320, 640): 2, (64, 64): 1, (32, 32): 1}))
    assert found['metrics'] == [
        'mmdet.CocoMetric (metric bbox, iou_thrs 0.50:0.05:0.95)', 'mmdet.VOCMetric (iou_thrs 0.5)'
    ]
    assert found['nms'] == dict(type='nms', iou_threshold=0.5)
    assert found['input_shapes'] == ['640x640', '320x640', '64x64']
    for text in ('score_thr 0.01', 'nms type nms iou_threshold 0.5', 'max_per_img 1000', '64x64 and 1 more sizes',
                 'LetterResize(scale=[640, 640], allow_scale_up=False', 'batches of 1'):
        assert text in found['text']
    json.dumps(found)


def test_report_is_valid_json(tmp_path):
    path = write_report(dict(metrics=dict(ap=float('nan'), ar=0.5), sizes=[float('inf')]), tmp_path / 'new')
    assert path == tmp_path / 'new' / 'benchmark.json'
    assert json.loads(path.read_text()) == dict(metrics=dict(ap=None, ar=0.5), sizes=[None])


def test_report_is_not_replaced_by_a_broken_one(tmp_path):
    path = write_report(dict(a=1), tmp_path)
    with pytest.raises(TypeError):
        write_report(dict(a=object()), tmp_path)
    assert json.loads(path.read_text()) == dict(a=1)
