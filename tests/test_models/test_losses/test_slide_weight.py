"""The Slide weighting: values computed by hand."""
import math

import pytest
import torch

from mmseam.models import SlideWeight


def test_values_by_hand():
    ious = torch.tensor([.2, .39, .41, .45, .55, 1.])  # mean 0.5
    assert ious.mean().item() == pytest.approx(.5)
    expected = [1, 1, math.exp(.5), math.exp(.5), math.exp(.45), 1]
    assert SlideWeight()(ious).tolist() == pytest.approx(expected)


def test_the_borders_belong_to_the_outer_parts():
    ious = torch.tensor([.25, .375, .5], dtype=torch.float64)  # mean .375, all exact in binary
    assert SlideWeight(margin=.125)(ious).tolist() == pytest.approx([1, math.exp(.625), math.exp(.5)])


def plain_weight(iou, mean):
    if iou <= mean - .1:
        return 1
    return math.exp(1 - mean) if iou < mean else math.exp(1 - iou)


@pytest.mark.parametrize('power', [.3, 1, 3])
def test_equals_the_formula(power):
    ious = torch.rand(200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)**power
    weights = SlideWeight()(ious.requires_grad_())
    assert not weights.requires_grad
    assert weights.tolist() == pytest.approx([plain_weight(iou, ious.mean().item()) for iou in ious.tolist()])


def test_no_samples_and_a_negative_margin():
    assert SlideWeight()(torch.zeros(0)).shape == (0, )
    with pytest.raises(ValueError, match='margin must not be negative, got -1'):
        SlideWeight(margin=-1)
