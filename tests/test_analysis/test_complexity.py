"""Layers, parameters and GFLOPs against the published figures."""
import json

import pytest

from mmseam.analysis.complexity import build_on_meta, model_complexity
from mmseam.analysis.complexity_report import totals, write_layers
from mmseam.analysis.layer_table import count_parameters
from mmseam.utils.config import load_config

FIXED_WEIGHTS = 16  # of the distribution focal layer: counted in the published figures, a buffer here

# size: with 80 classes plain, SEAM, MultiSEAM; with one class the same
PARAMETERS = {
    'n': ((2624080, 2814480, 5507808), (2590035, 2722131, 4826067)),
    's': ((9458752, 10279040, 15523904), (9428179, 10248467, 15493331)),
    'm': ((20114688, 22653888, 40447488), (20053779, 22592979, 40386579)),
    'l': ((25372160, 27911360, 45704960), (25311251, 27850451, 45644051)),
    'x': ((56966176, 62686912, 102694432), (56874931, 62595667, 102603187)),
}
HEADS = {'plain': 'yolo11_{}_syncbn', 'seam': 'yolo11_{}_seam_syncbn', 'multiseam': 'yolo11_{}_multiseam_syncbn'}
# of convolutions and linear layers at 640×640, and with the products of self-attention
GFLOPS = {'n': (6.5, 6.54), 's': (21.5, 21.59), 'm': (68.0, 68.10), 'l': (86.9, 87.15), 'x': (194.9, 195.27)}

# the article's table for size n with a MultiSEAM head
ARTICLE = [
    (-1, 464, 'Conv', [3, 16, 3, 2]),
    (-1, 4672, 'Conv', [16, 32, 3, 2]),
    (-1, 6640, 'C3k2', [32, 64, 1, False, 0.25]),
    (-1, 36992, 'Conv', [64, 64, 3, 2]),
    (-1, 26080, 'C3k2', [64, 128, 1, False, 0.25]),
    (-1, 147712, 'Conv', [128, 128, 3, 2]),
    (-1, 87040, 'C3k2', [128, 128, 1, True]),
    (-1, 295424, 'Conv', [128, 256, 3, 2]),
    (-1, 346112, 'C3k2', [256, 256, 1, True]),
    (-1, 164608, 'SPPF', [256, 256, 5]),
    (-1, 249728, 'C2PSA', [256, 256, 1]),
    (-1, 0, 'Upsample', [None, 2, 'nearest']),
    ((-1, 6), 0, 'Concat', [1]),
    (-1, 111296, 'C3k2', [384, 128, 1, False]),
    (-1, 0, 'Upsample', [None, 2, 'nearest']),
    ((-1, 4), 0, 'Concat', [1]),
    (-1, 32096, 'C3k2', [256, 64, 1, False]),
    (-1, 36992, 'Conv', [64, 64, 3, 2]),
    ((-1, 13), 0, 'Concat', [1]),
    (-1, 86720, 'C3k2', [192, 128, 1, False]),
    (-1, 147712, 'Conv', [128, 128, 3, 2]),
    ((-1, 10), 0, 'Concat', [1]),
    (-1, 378880, 'C3k2', [384, 256, 1, True]),
    ((16, 19, 22), 3348640 - FIXED_WEIGHTS, 'MultiSEAMHeadModule', [80, [64, 128, 256]]),
]


def coco_config(head: str, size: str):
    return load_config(f'{HEADS[head].format(size)}_fast_8xb16-500e_coco')


@pytest.mark.parametrize('size', PARAMETERS)
@pytest.mark.parametrize('column, head', enumerate(HEADS))
def test_parameters_of_all_sizes_and_heads(size, column, head):
    cfg = coco_config(head, size)
    found = tuple(count_parameters(build_on_meta(cfg, number)) + FIXED_WEIGHTS for number in (None, 1))
    assert found == tuple(row[column] for row in PARAMETERS[size])


@pytest.mark.parametrize('size', GFLOPS)
def test_gflops_of_all_sizes(size):
    complexity = model_complexity(coco_config('plain', size))
    plain, with_attention = GFLOPS[size]
    assert round(complexity.gflops, 1) == plain
    assert round(complexity.gflops_with_attention, 2) == with_attention


def test_layers_of_the_article():
    complexity = model_complexity(coco_config('multiseam', 'n'))
    assert [row[1:] for row in complexity.rows] == ARTICLE
    assert [row.index for row in complexity.rows] == list(range(24))
    assert complexity.parameters == sum(row.parameters for row in complexity.rows) == 5507792
    assert complexity.fixed_weights == FIXED_WEIGHTS
    assert '5,507,792 trainable; 5,507,808 with' in totals(complexity)


def test_attention_behind_the_neck_has_rows_and_feeds_the_head():
    rows = model_complexity(load_config('yolo11_n_seam-neck_syncbn_fast_8xb16-500e_coco')).rows
    assert [(row.index, row.source, row.module, row.arguments) for row in rows[23:]] == [
        (23, 16, 'SEAM', [64]), (24, 19, 'SEAM', [128]), (25, 22, 'SEAM', [256]),
        (26, (23, 24, 25), 'YOLO11HeadModule', [80, [64, 128, 256]])
    ]


def test_levels_without_attention_feed_the_head_from_the_neck():
    cfg = load_config('yolo11_n_seam-neck_syncbn_fast_8xb16-500e_coco', ['model.neck.1.levels=[1]'])
    rows = model_complexity(cfg).rows
    assert [(row.source, row.module) for row in rows[23:]] == [(19, 'SEAM'), ((16, 23, 22), 'YOLO11HeadModule')]


def test_attention_in_the_backbone_shifts_the_numbers():
    complexity = model_complexity(load_config('yolo11_n_seam-backbone_syncbn_fast_8xb16-500e_coco'))
    assert [(row.index, row.arguments) for row in complexity.rows if row.module == 'SEAM'] == [
        (5, [128]), (8, [128]), (13, [256])
    ]
    sources = [row.source for row in complexity.rows if row.module in ('Concat', 'YOLO11HeadModule')]
    assert sources == [(-1, 8), (-1, 5), (-1, 16), (-1, 13), (19, 22, 25)]
    assert sum(row.parameters for row in complexity.rows) == complexity.parameters


def test_gflops_follow_the_area_and_the_config_stays_as_it_is():
    cfg = coco_config('plain', 'n')
    full, half = model_complexity(cfg, (640, 640), num_classes=1), model_complexity(cfg, (320, 640), num_classes=1)
    assert half.gflops == pytest.approx(full.gflops / 2)
    assert cfg.model.bbox_head.head_module.num_classes == 80


def test_another_detector_is_listed_by_its_parts():
    cfg = load_config('yolo11_n_syncbn_fast_8xb16-500e_coco')
    cfg.default_scope = 'mmdet'
    cfg.model = dict(
        type='RetinaNet',
        backbone=dict(type='ResNet', depth=18, num_stages=4, out_indices=(1, 2, 3)),
        neck=dict(type='FPN', in_channels=[128, 256, 512], out_channels=16, num_outs=3),
        bbox_head=dict(
            type='RetinaHead', num_classes=1, in_channels=16, feat_channels=16, stacked_convs=1,
            anchor_generator=dict(type='AnchorGenerator', scales=[4], ratios=[1.0], strides=[8, 16, 32])))
    complexity = model_complexity(cfg, (64, 64))
    assert [row.module for row in complexity.rows] == ['ResNet', 'FPN', 'RetinaHead']
    assert sum(row.parameters for row in complexity.rows) == complexity.parameters
    # 1.8 GMAC of ResNet-18 at 224×224 (He et al., 2016) is 0.30 GFLOPs at 64×64; neck and head add little
    assert complexity.gflops == pytest.approx(0.30, abs=0.02)
    assert complexity.fixed_weights == 0
    assert 'fixed' not in totals(complexity)


def test_json(tmp_path):
    complexity = model_complexity(coco_config('plain', 'n'))
    write_layers(complexity, tmp_path / 'new' / 'layers.json')
    content = json.loads((tmp_path / 'new' / 'layers.json').read_text())
    assert content['parameters'] == 2624064
    assert content['rows'][12] == dict(index=12, source=[-1, 6], parameters=0, module='Concat', arguments=[1])
