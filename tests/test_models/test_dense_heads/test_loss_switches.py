"""NWD, Slide and the repulsion loss in the head of YOLO11: each changes its own loss, by its formula, and no other."""
import math

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmyolo.models.losses import bbox_overlaps

from mmseam.models import RepulsionLoss, YOLO11Head, normalized_wasserstein_distance

CHANNELS, SIZES, STRIDES, SHAPE = [8, 16, 32], [(12, 16), (6, 8), (3, 4)], [8, 16, 32], (96, 128)
# Two faces behind each other and one alone; then an image without any.
BOXES = torch.tensor([[0, 0, 10., 10, 60, 70], [0, 1, 40, 20, 110, 90], [0, 1, 4, 76, 30, 95]])
SLIDE = dict(cls_weighting=dict(type='mmseam.SlideWeight'))
REPULSION = dict(loss_repulsion=dict(type='mmseam.RepulsionLoss'))
NWD = dict(loss_bbox=dict(type='mmseam.NWDIoULoss', reduction='sum', loss_weight=7.5))
SWITCHES = {'Slide': SLIDE, 'repulsion': REPULSION, 'NWD': NWD, 'all': {**SLIDE, **REPULSION, **NWD}}


def build(module='mmseam.YOLO11HeadModule', **switches):
    """Build a head, with the same weights for all switches."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmyolo'):
        head = YOLO11Head(
            dict(type=module, num_classes=2, in_channels=CHANNELS),
            train_cfg=ConfigDict(assigner=dict(
                type='BatchTaskAlignedAssigner', num_classes=2, use_ciou=True, topk=10, alpha=.5, beta=6.)),
            **switches)
    return head.train()


def outputs(head):
    generator = torch.Generator().manual_seed(0)
    maps = tuple(torch.randn(2, channels, *size, generator=generator) for channels, size in zip(CHANNELS, SIZES))
    return head(maps)


def losses_of(head, predicted, boxes=BOXES):
    return head.loss_by_feat(*predicted, boxes.clone(), [dict(batch_input_shape=SHAPE)] * 2)


def spy(head):
    """Keep what the assigner gets and returns, before the head goes on to change it."""
    seen = {}

    def hook(module, inputs, output):
        seen.update(boxes=inputs[0].clone(), gt_bboxes=inputs[4].clone(), strides=inputs[2][:, 2].clone(),
                    **{name: value.clone() for name, value in output.items()})
    head.assigner.register_forward_hook(hook)
    return seen


@pytest.fixture(scope='module')
def plain():
    """Predictions and losses of a head without switches, and its assignment."""
    head = build()
    seen = spy(head)
    predicted = outputs(head)
    losses = losses_of(head, predicted)
    assert seen['fg_mask_pre_prior'][0].sum() > 20 and not seen['fg_mask_pre_prior'][1].any()
    assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_dfl'}
    return predicted, losses, seen


@pytest.mark.parametrize('switch', SWITCHES)
def test_other_losses_keep_their_values(plain, switch):
    head = build(**SWITCHES[switch])
    found = losses_of(head, outputs(head))
    changed = {name for name, value in plain[1].items() if not torch.equal(found[name], value)}
    added = set(found) - set(plain[1])
    repulsion = {'loss_rep_gt', 'loss_rep_box'}
    assert (changed, added) == {
        'Slide': ({'loss_cls'}, set()), 'NWD': ({'loss_bbox'}, set()), 'repulsion': (set(), repulsion),
        'all': ({'loss_cls', 'loss_bbox'}, repulsion)}[switch]


def test_slide_weighs_the_classes_of_positive_samples(plain):
    predicted, losses, seen = plain
    logits = torch.cat([level.flatten(2) for level in predicted[0]], 2).transpose(1, 2)
    positive = seen['fg_mask_pre_prior']
    ious = bbox_overlaps(seen['boxes'], seen['assigned_bboxes'], iou_mode='iou', bbox_format='xyxy')[positive]
    mean = ious.mean().item()
    weights = [1 if t <= mean - .1 else math.exp(1 - max(t, mean)) for t in ious.tolist()]
    weight = torch.ones(positive.shape)
    weight[positive] = torch.tensor(weights)
    assert weight.max() > 1 and (weight[positive] == 1).any()
    targets = seen['assigned_scores']
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction='none')
    expected = .5 * 2 * (entropy * weight[..., None]).sum() / targets.sum().clamp(min=1)
    torch.testing.assert_close(losses_of(build(**SLIDE), predicted)['loss_cls'], expected)


@pytest.mark.parametrize('unit', ['pixel', 'head'])
def test_nwd_is_a_fifth_of_the_box_loss(plain, unit):
    predicted, losses, seen = plain
    loss_bbox = dict(NWD['loss_bbox'], unit=unit, constant=6.)
    found = losses_of(build(loss_bbox=loss_bbox), predicted)['loss_bbox']
    positive = seen['fg_mask_pre_prior']
    divisor = seen['strides'].expand_as(positive)[positive][:, None] if unit == 'head' else 1
    nwd = normalized_wasserstein_distance(
        seen['boxes'][positive] / divisor, seen['assigned_bboxes'][positive] / divisor, 6.)
    scores = seen['assigned_scores'].sum(-1)[positive]
    distance = 2 * 7.5 * ((1 - nwd) * scores).sum() / seen['assigned_scores'].sum().clamp(min=1)
    torch.testing.assert_close(found, .8 * losses['loss_bbox'] + .2 * distance)


def test_repulsion_is_that_of_the_positive_predictions(plain):
    predicted, _, seen = plain
    found = losses_of(build(**REPULSION), predicted)
    positive = seen['fg_mask_pre_prior'][0]
    targets, gts = seen['assigned_bboxes'][0][positive], BOXES[:, 2:]
    inds = (targets[:, None] == gts).all(2).long().argmax(1)
    assert len(inds.unique()) == 3
    expected = RepulsionLoss()([seen['boxes'][0][positive]], [gts], [inds])
    for name, value in expected.items():
        assert value > 0
        torch.testing.assert_close(found[name], 2 * value)  # two images


def test_head_module_of_yolov8():
    plain, ours = (build('mmyolo.YOLOv8HeadModule', **switches) for switches in ({}, SWITCHES['all']))
    before, found = (losses_of(head, outputs(head)) for head in (plain, ours))
    assert found['loss_dfl'] == before['loss_dfl'] > 0
    assert {name for name in before if found[name] != before[name]} == {'loss_cls', 'loss_bbox'}


@pytest.mark.parametrize('switch', SWITCHES)
def test_gradients_reach_the_branches_and_differ_from_the_plain_ones(switch):
    gradients = []
    for switches in ({}, SWITCHES[switch]):
        head = build(**switches)
        sum(losses_of(head, outputs(head)).values()).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in head.parameters()]))
        assert torch.isfinite(gradients[-1]).all()
    assert (gradients[1] - gradients[0]).norm() > 1e-3 * gradients[0].norm()


def test_no_box_in_the_batch():
    head = build(**SWITCHES['all'])
    losses = losses_of(head, outputs(head), BOXES[:0])
    assert all(losses[name] == 0 for name in losses if name != 'loss_cls') and losses['loss_cls'] > 0
    sum(losses.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in head.parameters() if p.grad is not None)


def test_hooks_are_gone_after_an_error(monkeypatch):
    head = build(**SWITCHES['all'])
    predicted = outputs(head)
    with monkeypatch.context() as patch:
        patch.setattr(head.cls_weighting, 'margin', 'wide')
        with pytest.raises(TypeError):
            losses_of(head, predicted)
    modules = (head.assigner, head.loss_cls, head.loss_bbox)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)
    assert losses_of(head, predicted)


def test_half_precision():
    head = build(**SWITCHES['all'])
    with torch.autocast('cpu', torch.bfloat16):
        losses = losses_of(head, outputs(head))
    assert all(torch.isfinite(value) and value > 0 for value in losses.values())
