"""The repulsion loss: against the formulas of the paper, its gradient, and what it is for."""
import math

import pytest
import torch
from torch.autograd import gradcheck

from mmseam.models import RepulsionLoss, smooth_ln


def box(x, y, width=10., height=10.):
    return [x, y, x + width, y + height]


def plain_smooth_ln(x, sigma):
    return -math.log(1 - x) if x <= sigma else (x - sigma) / (1 - sigma) - math.log(1 - sigma)


def intersection(a, b):
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)


def area(a):
    return (a[2] - a[0]) * (a[3] - a[1])


def iou(a, b):
    return intersection(a, b) / (area(a) + area(b) - intersection(a, b))


def plain_losses(images, sigma_gt, sigma_box):
    """Equations 3, 4 and 6, with one prediction per target in the last."""
    by_gt, num_boxes, by_box, num_pairs = 0, 0, 0, 0
    for boxes, gts, inds in images:
        for predicted, ind in zip(boxes, inds):
            num_boxes += 1
            others = [gt for j, gt in enumerate(gts) if j != ind]
            if others:
                other = max(others, key=lambda gt: iou(predicted, gt))
                by_gt += plain_smooth_ln(intersection(predicted, other) / area(other), sigma_gt)
        best = {ind: max((b for b, i in zip(boxes, inds) if i == ind), key=lambda b: iou(b, gts[ind])) for ind in inds}
        best = list(best.values())
        for i, first in enumerate(best):
            for second in best[:i]:
                by_box += plain_smooth_ln(iou(first, second), sigma_box)
                num_pairs += iou(first, second) > 0
    return by_gt / max(num_boxes, 1), by_box / max(num_pairs, 1)


def random_image(seed, num_gts, per_gt):
    """Objects in a crowd, with predictions around each."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(num_gts, 2, generator=generator, dtype=torch.float64) * 30
    gts = torch.cat([corners, corners + 8 + 4 * torch.rand(num_gts, 2, generator=generator, dtype=torch.float64)], 1)
    inds = torch.arange(num_gts).repeat_interleave(per_gt)[torch.randperm(num_gts * per_gt, generator=generator)]
    return gts[inds] + torch.randn(len(inds), 4, generator=generator, dtype=torch.float64), gts, inds


EMPTY = torch.zeros(0, 4, dtype=torch.float64), torch.zeros(0, 4, dtype=torch.float64), torch.zeros(0).long()
CROWD = [random_image(0, 6, 3), random_image(1, 1, 4), EMPTY, random_image(2, 9, 1)]


@pytest.mark.parametrize('sigma', [0, .5, .9])
def test_smooth_ln(sigma):
    x = torch.linspace(0, .99, 34, dtype=torch.float64)
    expected = [plain_smooth_ln(value, sigma) for value in x.tolist()]
    assert smooth_ln(x, sigma).tolist() == pytest.approx(expected)
    one = torch.ones(1, dtype=torch.float64, requires_grad=True)
    smooth_ln(one, sigma).backward()
    assert one.grad.item() == pytest.approx(1 / (1 - sigma))


@pytest.mark.parametrize('sigma_gt, sigma_box', [(.9, 0.), (0., .5)])
def test_equals_the_formulas(sigma_gt, sigma_box):
    loss = RepulsionLoss(sigma_gt, sigma_box, weight_gt=2, weight_box=3, loss_weight=.5)
    found = loss(*zip(*CROWD))
    by_gt, by_box = plain_losses([[part.tolist() for part in image] for image in CROWD], sigma_gt, sigma_box)
    assert by_gt > .01 and by_box > .01
    assert found['loss_rep_gt'].item() == pytest.approx(by_gt) and found['loss_rep_box'].item() == pytest.approx(
        1.5 * by_box)


def test_values_by_hand():
    gts = torch.tensor([box(0, 0), box(8, 0)])
    boxes = torch.tensor([box(4, 0), box(8, 5)])  # covers .6 of the other object; .1 of it
    losses = RepulsionLoss(sigma_gt=.5, weight_gt=1, weight_box=1)([boxes], [gts], [torch.tensor([0, 1])])
    by_gt = ((.6 - .5) / .5 - math.log(.5) - math.log(1 - .1)) / 2
    assert losses['loss_rep_gt'].item() == pytest.approx(by_gt)
    assert losses['loss_rep_box'].item() == pytest.approx(30 / 170)


def test_gradient():
    boxes, gts, inds = random_image(3, 5, 2)
    loss = RepulsionLoss()
    assert gradcheck(lambda boxes: sum(loss([boxes], [gts], [inds]).values()), boxes.requires_grad_())
    sum(loss([boxes], [gts], [inds]).values()).backward()
    assert torch.isfinite(boxes.grad).all() and boxes.grad.any()


def test_moves_two_overlapping_predictions_of_different_targets_apart():
    gts = torch.tensor([box(0, 0), box(9, 0)])
    boxes = torch.tensor([box(3, 0), box(6, 0)], requires_grad=True)
    optimizer, loss = torch.optim.SGD([boxes], lr=1.), RepulsionLoss()
    overlap = iou(*boxes.tolist())
    for _ in range(200):
        optimizer.zero_grad()
        sum(loss([boxes], [gts], [torch.tensor([0, 1])]).values()).backward()
        optimizer.step()
    first, second = boxes.tolist()
    assert overlap > .5 and iou(first, second) == 0
    assert first[2] <= second[0] and first[2] <= 9 and second[0] >= 10  # and off the other's object


def test_leaves_predictions_of_one_target_together():
    gts = torch.tensor([box(0, 0), box(100, 100)])
    boxes = torch.tensor([box(1, 0), box(2, 0)], requires_grad=True)
    losses = RepulsionLoss()([boxes], [gts], [torch.tensor([0, 0])])
    sum(losses.values()).backward()
    assert all(value == 0 for value in losses.values()) and not boxes.grad.any()


@pytest.mark.parametrize('images', [[EMPTY], [random_image(1, 1, 4)], [EMPTY, random_image(1, 1, 4)]],
                         ids=['no object', 'one object', 'both'])
def test_nothing_to_repel_from(images):
    boxes = [image[0].clone().requires_grad_() for image in images]
    losses = RepulsionLoss()(boxes, [image[1] for image in images], [image[2] for image in images])
    sum(losses.values()).backward()
    assert all(value == 0 for value in losses.values())
    assert not any(part.grad.any() for part in boxes)


@pytest.mark.parametrize('arguments, message', [
    (dict(sigma_gt=1.), 'sigma_gt must be at least 0 and less than 1, got 1.0'),
    (dict(sigma_box=-.1), 'sigma_box must be at least 0 and less than 1, got -0.1'),
    (dict(weight_box=-1), 'weight_box must not be negative, got -1'),
    (dict(loss_weight=float('nan')), 'loss_weight must not be negative, got nan'),
], ids=['sigma_gt', 'sigma_box', 'weight', 'nan'])
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        RepulsionLoss(**arguments)
