"""Attention by config alone in the detectors of MMDetection and MMYOLO: a training step and a prediction each."""
import copy
from pathlib import Path

import mmdet
import mmyolo
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import set_random_seed
from mmengine.structures import InstanceData
from mmyolo.models.plugins import CBAM

from mmseam.models import SEAM, AttentionHeadModule, AttentionNeck, MultiSEAM

HEIGHT, WIDTH = 128, 160
NUM_CLASSES = 3
BOXES = torch.tensor([[10., 20., 60., 90.], [30., 10., 150., 120.], [100., 60., 120., 84.]])
LABELS = torch.tensor([0, 1, 2])
ATTENTIONS = {'mmseam.SEAM': SEAM, 'mmseam.MultiSEAM': MultiSEAM, 'CBAM': CBAM}


def host_config(package, path):
    """Load a config that the host ships, small, with few classes, without pretrained weights."""
    cfg = Config.fromfile(Path(package.__file__).parent / '.mim' / 'configs' / path)
    cfg.model.backbone.init_cfg = None
    return cfg


def retinanet(attention):
    cfg = host_config(mmdet, 'retinanet/retinanet_r18_fpn_1x_coco.py')
    cfg.model.bbox_head.update(num_classes=NUM_CLASSES, stacked_convs=1)
    # All five levels; the coarsest map has 1×2 pixels, less than any patch of MultiSEAM.
    neck = dict(type='mmseam.AttentionNeck', in_channels=[256] * 5, attention_cfg=attention)
    cfg.model.neck = [cfg.model.neck, neck]
    cfg.model.test_cfg.score_thr = 0
    return cfg


def faster_rcnn(attention):
    cfg = host_config(mmdet, 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    model = cfg.model
    model.backbone.depth = 18
    model.neck.in_channels = [64, 128, 256, 512]
    neck = dict(type='mmseam.AttentionNeck', in_channels=[256] * 5, attention_cfg=attention, levels=(0, 1, 2, 3))
    model.neck = [model.neck, neck]
    model.roi_head.bbox_head.update(num_classes=NUM_CLASSES, fc_out_channels=64)
    model.train_cfg.rcnn.sampler.num = 64
    model.train_cfg.rpn_proposal.update(nms_pre=200, max_per_img=200)
    model.test_cfg.rpn.update(nms_pre=100, max_per_img=50)
    model.test_cfg.rcnn.score_thr = 0
    return cfg


def mmyolo_config(path):
    cfg = host_config(mmyolo, path)
    cfg.model.bbox_head.head_module.num_classes = NUM_CLASSES
    cfg.model.train_cfg.assigner.num_classes = NUM_CLASSES
    cfg.model.test_cfg.update(score_thr=0, nms_pre=500)
    return cfg


def rtmdet(attention):
    cfg = mmyolo_config('rtmdet/rtmdet_tiny_syncbn_fast_8xb32-300e_coco.py')
    neck = dict(
        type='mmseam.AttentionNeck', in_channels=[256] * 3, widen_factor=cfg.widen_factor, attention_cfg=attention)
    cfg.model.neck = [cfg.model.neck, neck]
    return cfg


def yolov8(attention):
    cfg = mmyolo_config('yolov8/yolov8_n_syncbn_fast_8xb16-500e_coco.py')
    neck = dict(
        type='mmseam.AttentionNeck',
        in_channels=cfg.model.neck.out_channels,
        widen_factor=cfg.widen_factor,
        attention_cfg=attention)
    cfg.model.neck = [cfg.model.neck, neck]
    return cfg


def yolov8_head(attention):
    cfg = mmyolo_config('yolov8/yolov8_n_syncbn_fast_8xb16-500e_coco.py')
    cfg.model.bbox_head.head_module.update(type='mmseam.AttentionHeadModule', attention_cfg=attention)
    return cfg


def yolov8_backbone(attention):
    cfg = mmyolo_config('yolov8/yolov8_n_syncbn_fast_8xb16-500e_coco.py')
    cfg.model.backbone.plugins = [dict(cfg=attention, stages=(False, True, True, True))]
    return cfg


#: Function that makes the config, and the number of attention layers it should put in.
HOSTS = {retinanet: 5, faster_rcnn: 4, rtmdet: 3, yolov8: 3, yolov8_head: 6, yolov8_backbone: 3}


def images():
    return list(torch.randint(0, 256, (2, 3, HEIGHT, WIDTH), dtype=torch.uint8))


def mmdet_sample():
    sample = DetDataSample(metainfo=dict(
        ori_shape=(HEIGHT, WIDTH), img_shape=(HEIGHT, WIDTH), scale_factor=(1., 1.), pad_param=[0., 0., 0., 0.]))
    sample.gt_instances = InstanceData(bboxes=BOXES.clone(), labels=LABELS.clone())
    return sample


def training_batch(scope):
    """Make a batch in the host's form: a list of samples, or the boxes of all images in one tensor."""
    if scope == 'mmdet':
        return dict(inputs=images(), data_samples=[mmdet_sample(), mmdet_sample()])
    rows = [torch.cat([torch.full((3, 1), float(i)), LABELS[:, None], BOXES], 1) for i in range(2)]
    return dict(inputs=torch.stack(images()), data_samples=dict(bboxes_labels=torch.cat(rows)))


@pytest.mark.parametrize('attention', ATTENTIONS)
@pytest.mark.parametrize('make_config', HOSTS, ids=lambda make: make.__name__)
def test_trains_and_predicts(make_config, attention):
    set_random_seed(0)
    cfg = make_config(dict(type=attention))
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
        model.init_weights()
        layers = {name: m for name, m in model.named_modules() if isinstance(m, ATTENTIONS[attention])}
        assert len(layers) == HOSTS[make_config]
        before = copy.deepcopy({name: m.state_dict() for name, m in layers.items()})

        optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01), clip_grad=dict(max_norm=10))
        losses = model.train().train_step(training_batch(cfg.default_scope), optimizer)
        assert losses and all(torch.isfinite(torch.as_tensor(value)) for value in losses.values())
        assert all(torch.isfinite(p).all() for p in model.parameters())
        changed = {
            name
            for name, layer in layers.items() for key, p in layer.named_parameters()
            if not torch.equal(p, before[name][key])
        }
        # A box branch learns from matched objects only, and none of these need match at every level.
        assert changed >= {name for name in layers if 'reg_preds' not in name}

        result = model.eval().test_step(dict(inputs=images(), data_samples=[mmdet_sample(), mmdet_sample()]))
    for sample in result:
        found = sample.pred_instances
        assert len(found) and torch.isfinite(found.bboxes).all() and (found.bboxes[:, :2] >= 0).all()
        assert (found.bboxes <= torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])).all()
        assert (found.labels < NUM_CLASSES).all()


def test_wasserstein_distance_in_the_box_loss_of_mmdet():
    """RetinaNet's box loss gets decoded boxes in pixels, and a weight per coordinate."""
    set_random_seed(0)
    cfg = retinanet(dict(type='mmseam.SEAM'))
    loss_bbox = dict(type='mmseam.models.NWDIoULoss', unit='head', iou_mode='giou', loss_weight=2.)
    cfg.model.bbox_head.update(reg_decoded_bbox=True, loss_bbox=loss_bbox)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
        model.init_weights()
        data = model.data_preprocessor(training_batch(cfg.default_scope), training=True)
        losses = model.train()(**data, mode='loss')
    value = sum(losses['loss_bbox'])
    value.backward()
    assert 0 < value < 2 * 2 and model.bbox_head.retina_reg.weight.grad.any()


def test_configs_place_the_attention_where_they_say():
    attention = dict(type='mmseam.SEAM')
    with DefaultScope.overwrite_default_scope('mmyolo'):
        neck = MODELS.build(yolov8(attention).model).neck
        head = MODELS.build(yolov8_head(attention).model).bbox_head.head_module
        backbone = MODELS.build(yolov8_backbone(attention).model).backbone
    assert isinstance(neck[1], AttentionNeck)
    assert isinstance(head, AttentionHeadModule)
    assert isinstance(backbone.stage4[-1], SEAM) and not isinstance(backbone.stage1[-1], SEAM)
