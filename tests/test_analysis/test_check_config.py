"""Contradictions in configs."""
import pytest
from mmengine.registry import DefaultScope

from mmseam.analysis.check_config import check_config
from mmseam.registry import MODELS
from mmseam.utils.config import ConfigError, configs_folder, load_config

COCO = 'yolo11_n_syncbn_fast_8xb16-500e_coco'
FACE = 'yolo11_n_syncbn_fast_8xb16-250e_widerface'
NECK = 'yolo11_n_seam-neck_syncbn_fast_8xb16-500e_coco'


def problems(name: str, *options: str) -> str:
    with pytest.raises(ConfigError) as error:
        check_config(load_config(name, options))
    return str(error.value)


@pytest.mark.parametrize('path', sorted(configs_folder().glob('[!_]*/*.py')), ids=lambda path: path.stem)
def test_our_configs_agree_with_themselves(path):
    check_config(load_config(path))


def test_classes_of_the_head_against_the_dataset():
    message = problems(FACE, 'model.bbox_head.head_module.num_classes=80', 'model.train_cfg.assigner.num_classes=80')
    assert message.count('model.bbox_head.head_module.num_classes is 80, but') == 3
    for loader in ('train', 'val', 'test'):
        assert f'{loader}_dataloader.dataset (mmseam.WIDERFaceDataset) has 1 classes (face); set ' in message


def test_classes_of_the_head_against_the_assigner():
    message = problems(COCO, 'model.train_cfg.assigner.num_classes=1')
    assert message.splitlines()[1:] == [
        '- model.bbox_head.head_module.num_classes is 80, but model.train_cfg.assigner.num_classes is 1; set both to '
        'the number of classes'
    ]


def test_metainfo_of_the_config_wins_over_the_dataset():
    fewer = ['model.bbox_head.head_module.num_classes=2', 'model.train_cfg.assigner.num_classes=2']
    both = [f'{loader}_dataloader.dataset.metainfo.classes="(a,b)"' for loader in ('train', 'val', 'test')]
    check_config(load_config(COCO, [*fewer, *both]))
    assert 'test_dataloader.dataset (mmseam.YOLOCocoDataset) has 80 classes (person, bicycle, car, …)' in problems(
        COCO, *fewer, *both[:2])


def test_a_single_class_without_its_comma():
    message = problems(FACE, 'train_dataloader.dataset.metainfo.classes=face')
    assert "train_dataloader.dataset.metainfo.classes is the string 'face', not a tuple" in message
    assert "('face', )" in message


def test_datasets_inside_wrappers():
    cfg = load_config(FACE)
    inner = cfg.train_dataloader.dataset
    two = dict(type='YOLOv5CocoDataset', metainfo=dict(classes=('a', 'b')))
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[inner, two]))
    with pytest.raises(ConfigError, match=r'train_dataloader\.dataset\.dataset\.datasets\.1 .* has 2 classes \(a, b\)'):
        check_config(cfg)


@pytest.mark.parametrize('name, option, expected', [
    (COCO, 'model.neck.in_channels=[256,512,1024]',
     'model.backbone (last_stage_out_channels=1024, widen_factor=0.25) outputs 128/128/256 channels, but model.neck '
     '(in_channels=[256, 512, 1024], out_channels=[256, 512, 1024], widen_factor=0.25) expects 192 instead of 256 '
     'at its layer top_down_layers.1.main_conv.conv; make model.neck.in_channels and the widen_factor of all parts '
     'agree'),
    (COCO, 'model.backbone.last_stage_out_channels=512', 'outputs 128/128/128 channels, but model.neck (in_channels='),
    (COCO, 'model.backbone.widen_factor=0.5', 'outputs 256/256/512 channels, but model.neck (in_channels='),
    (COCO, 'model.backbone.out_indices=[3,4]', 'expects 3 feature maps, not 2; make model.neck.in_channels'),
    (COCO, 'model.bbox_head.head_module.in_channels=[256,512,512]',
     'outputs 64/128/256 channels, but model.bbox_head.head_module (in_channels=[256, 512, 512], widen_factor=0.25) '
     'expects 128 instead of 256'),
    (NECK, 'model.neck.1.in_channels=[256,512,512]',
     'model.neck.0 (in_channels=[512, 512, 1024], out_channels=[256, 512, 1024], widen_factor=0.25) outputs '
     '64/128/256 channels, but model.neck.1 (in_channels=[256, 512, 512], widen_factor=0.25) expects '
     '128 instead of 256'),
    (NECK, 'model.bbox_head.head_module.widen_factor=0.5',
     'model.neck.1 (in_channels=[256, 512, 1024], widen_factor=0.25) outputs 64/128/256 channels, but '
     'model.bbox_head.head_module (in_channels=[256, 512, 1024], widen_factor=0.5) expects 128 instead of 64'),
])
def test_widths(name, option, expected):
    assert expected in problems(name, option)


def host_detector(fpn, head, number=80, **backbone):
    cfg = load_config(COCO)
    cfg.default_scope = 'mmdet'
    cfg.pop('tta_model')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.pipeline = []  # mmyolo's, which this scope does not know
    resnet = dict(type='mmdet.ResNet', depth=18, **backbone)
    cfg.model = dict(type='RetinaNet', backbone=resnet,
                     neck=dict(type='mmdet.FPN', in_channels=fpn, out_channels=256, num_outs=5),
                     bbox_head=dict(type='mmdet.RetinaHead', num_classes=number, in_channels=head))
    return cfg


@pytest.mark.parametrize('cfg, expected', [
    (host_detector([256, 512, 1024, 2048], 256),
     r'model.backbone outputs 64/128/256/512 channels, but model.neck .* expects 256 instead of 64 at its layer '
     'lateral_convs.0.conv; make model.neck.in_channels'),
    (host_detector([64, 128, 256, 512], 4), r'model.bbox_head \(in_channels=4\) expects 4 instead of 256'),
    (host_detector([64, 128, 256, 512], 256, number=3), 'model.bbox_head.num_classes is 3'),
])
def test_other_detectors(cfg, expected):
    with pytest.raises(ConfigError, match=expected):
        check_config(cfg)


@pytest.mark.parametrize('option, message', [
    ('model.test_cfg.nms.type=nmss', "model.test_cfg.nms.type must be 'nms' or 'soft_nms', not 'nmss'"),
    ('model.test_cfg.nms.typ=nms', "model.test_cfg.nms has the unknown key 'typ'; did you mean 'type'?"),
    ('model.test_cfg.score_thr=50', 'model.test_cfg.score_thr must be a number from -1 to 1, not 50'),
    ('model.test_cfg.max_per_img=-1', 'model.test_cfg.max_per_img must be a whole number from 1 to 1e+09, not -1'),
])
def test_postprocessing_settings(option, message):
    assert message in problems(FACE, option)
    cfg = load_config(FACE, [option])
    with DefaultScope.overwrite_default_scope('mmyolo'), pytest.raises(ValueError) as error:
        MODELS.build(cfg.model)
    assert message[len('model.'):] in str(error.value)


def test_what_cannot_run_without_data_is_passed_over():
    """Deformable convolutions have no kernel for the meta device, nor mmcv-lite any."""
    check_config(host_detector([64, 128, 256, 512], 256))
    check_config(host_detector([1, 2, 3, 4], 5, dcn=dict(type='DCN'), stage_with_dcn=(False, True, True, True)))
