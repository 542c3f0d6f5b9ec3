"""Focal losses of the stand-in for mmcv._ext against the formula and its automatic derivative."""
import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import sigmoid_focal_loss, softmax_focal_loss

LOGITS = torch.randn(12, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4
TARGET = torch.arange(12) % 5  # 4 is background


def plain_sigmoid(logits, target, gamma, alpha):
    """Equation 5 of the paper, by log-sigmoids."""
    positive = F.one_hot(target, 5)[:, :4].to(logits)
    p = logits.sigmoid()
    loss = -positive * alpha * (1 - p)**gamma * F.logsigmoid(logits)
    return loss - (1 - positive) * (1 - alpha) * p**gamma * F.logsigmoid(-logits)


def value_and_gradient(function, *args):
    logits = LOGITS.clone().requires_grad_()
    loss = function(logits, *args)
    loss.sum().backward()
    return loss.detach(), logits.grad


@pytest.mark.parametrize(('gamma', 'alpha'), [(2., .25), (0., .5), (1.5, .75)])
def test_sigmoid_focal_loss(gamma, alpha):
    expected, expected_grad = value_and_gradient(plain_sigmoid, TARGET, gamma, alpha)
    loss, grad = value_and_gradient(sigmoid_focal_loss, TARGET, gamma, alpha, None, 'none')
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(grad, expected_grad)


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_sigmoid_focal_loss_reductions(reduction):
    expected = plain_sigmoid(LOGITS, TARGET, 2., .25).sum() / (len(LOGITS) if reduction == 'mean' else 1)
    torch.testing.assert_close(sigmoid_focal_loss(LOGITS, TARGET, 2., .25, None, reduction), expected)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_sigmoid_focal_loss_stays_finite_at_extreme_logits(dtype):
    logits = torch.tensor([[200., -200.], [-200., 200.]], dtype=dtype).requires_grad_()
    loss = sigmoid_focal_loss(logits, torch.tensor([0, 0]), 2., .25, None, 'none')
    loss.sum().backward()
    assert loss.dtype == dtype and torch.isfinite(loss).all() and torch.isfinite(logits.grad).all()
    assert loss[0].tolist() == [0, 0] and (loss[1] > 10).all()


@pytest.mark.parametrize(('loss', 'weight'), [(sigmoid_focal_loss, torch.ones(4)), (softmax_focal_loss, None)])
def test_what_no_detector_calls_says_that_it_needs_a_compiled_mmcv(loss, weight):
    with pytest.raises(NotImplementedError, match=r'`(sigmoid|softmax)_focal_loss.*mmcv-lite is installed'):
        loss(LOGITS, TARGET, 2., .25, weight, 'none')
