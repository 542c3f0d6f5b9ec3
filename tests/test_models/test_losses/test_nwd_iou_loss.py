"""The normalized Wasserstein distance: values computed by hand, and the contract of the loss it replaces."""
import math

import pytest
import torch
from mmyolo.models.losses import IoULoss
from torch.autograd import gradcheck

from mmseam.models import NWDIoULoss, normalized_wasserstein_distance

TARGET = torch.tensor([[10., 10., 20., 30.]])
# Moved by (3, 4); 6 wider and 8 higher around the same center; both.
PREDICTIONS = torch.tensor([[13., 14., 23., 34.], [7., 6., 23., 34.], [10., 10., 26., 38.]])
DISTANCES = [5., 5., math.sqrt(50)]
PIXELS = dict(unit='head', reduction='none', nwd_ratio=1)


def random_boxes(number, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(number, 2, generator=generator, dtype=torch.float64) * 20
    return torch.cat([corners, corners + 2 + torch.rand(number, 2, generator=generator, dtype=torch.float64) * 9], 1)


@pytest.mark.parametrize('constant', [1., 12.8])
def test_values_by_hand(constant):
    expected = [math.exp(-distance / constant) for distance in DISTANCES]
    found = normalized_wasserstein_distance(PREDICTIONS, TARGET.expand(3, 4), constant)
    assert found.tolist() == pytest.approx(expected, rel=1e-6)


def test_equal_boxes_have_similarity_one_and_a_finite_gradient():
    boxes = TARGET.clone().requires_grad_()
    similarity = normalized_wasserstein_distance(boxes, TARGET, 12.8)
    similarity.sum().backward()
    assert similarity.item() == 1 and (boxes.grad == 0).all()


def plain_loss(pred, target, ratio, constant):
    """Compute the formula box by box, on mmyolo's CIoU."""
    ciou = 1 - IoULoss(bbox_format='xyxy', reduction='none', return_iou=False)(pred, target)
    losses = []
    for (x1, y1, x2, y2), (u1, v1, u2, v2), iou in zip(pred.tolist(), target.tolist(), ciou.tolist()):
        squares = [((x1 + x2) - (u1 + u2)) / 2, ((y1 + y2) - (v1 + v2)) / 2, ((x2 - x1) - (u2 - u1)) / 2,
                   ((y2 - y1) - (v2 - v1)) / 2]
        nwd = math.exp(-math.sqrt(sum(value**2 for value in squares)) / constant)
        losses.append((1 - ratio) * (1 - iou) + ratio * (1 - nwd))
    return torch.tensor(losses, dtype=pred.dtype)


def test_combination_weights_and_reductions_equal_a_plain_reference():
    pred, target, weight = random_boxes(6), random_boxes(6, 1), torch.rand(6, dtype=torch.float64)
    each = 7.5 * plain_loss(pred, target, .2, 3.)
    loss = NWDIoULoss(constant=3., unit='head', reduction='sum', loss_weight=7.5)
    torch.testing.assert_close(loss(pred, target), each.sum())
    torch.testing.assert_close(loss(pred, target, weight=weight[:, None]), (each * weight).sum())
    torch.testing.assert_close(loss(pred, target, weight, reduction_override='none'), each * weight)
    torch.testing.assert_close(loss(pred, target, weight, 4., 'mean'), (each * weight).sum() / 4)
    assert loss(pred, target, weight=torch.zeros(6, 1)) == 0


def test_without_the_distance_it_is_the_host_s_loss():
    pred, target, weight = random_boxes(9), random_boxes(9, 1), torch.rand(9, 1, dtype=torch.float64)
    arguments = dict(bbox_format='xyxy', reduction='sum', loss_weight=7.5, return_iou=False)
    host, ours = IoULoss(**arguments), NWDIoULoss(nwd_ratio=0, unit='head', **arguments)
    assert torch.equal(ours(pred, target, weight=weight), host(pred, target, weight=weight))


def test_ious_as_second_value_and_boxes_by_center():
    pred, target = random_boxes(4), random_boxes(4, 1)
    loss = NWDIoULoss(unit='head', return_iou=True)
    value, ious = loss(pred, target)
    torch.testing.assert_close(ious, IoULoss(bbox_format='xyxy')(pred, target)[1])
    centers = [torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)
               for boxes in (pred, target)]
    by_center, _ = NWDIoULoss(unit='head', bbox_format='xywh', return_iou=True)(*centers)
    torch.testing.assert_close(by_center, value)


def test_pixels_weigh_the_levels_alike_and_strides_do_not():
    strides = torch.tensor([8., 32.])
    target = TARGET / strides[:, None]
    pred = PREDICTIONS[:1] / strides[:, None]
    pixels = NWDIoULoss(**{**PIXELS, 'unit': 'pixel'})(pred, target, strides=strides)
    assert pixels.tolist() == pytest.approx([1 - math.exp(-5 / 12.8)] * 2)
    in_strides = NWDIoULoss(**PIXELS, constant=1.)(pred, target)
    assert in_strides.tolist() == pytest.approx([1 - math.exp(-5 / 8), 1 - math.exp(-5 / 32)])


def test_gradient():
    pred, target = random_boxes(4).requires_grad_(), random_boxes(4, 1)
    assert gradcheck(lambda boxes: normalized_wasserstein_distance(boxes, target, 3.), pred)
    # CIoU treats its alpha as a constant, so its gradient is not that of its value: check the new part alone.
    assert gradcheck(NWDIoULoss(**PIXELS), (pred, target))


def test_boxes_far_apart_attract_each_other_where_the_iou_has_no_gradient():
    pred = torch.tensor([[200., 10., 210., 30.]], requires_grad=True)
    normalized_wasserstein_distance(pred, TARGET, 12.8).sum().backward()
    assert (pred.grad[0, [0, 2]] < 0).all() and pred.grad[0, 1] == 0


@pytest.mark.parametrize('arguments, message', [
    (dict(nwd_ratio=1.2), 'nwd_ratio must be from 0 to 1, got 1.2'),
    (dict(constant=0), 'constant must be positive, got 0'),
    (dict(unit='grid'), "unit must be 'pixel' or 'head', got 'grid'"),
], ids=['ratio', 'constant', 'unit'])
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        NWDIoULoss(**arguments)


def test_a_head_without_strides_is_an_error_that_says_what_to_do():
    with pytest.raises(ValueError, match="mmseam.YOLO11Head passes; with another head set unit='head'"):
        NWDIoULoss()(TARGET, TARGET)
