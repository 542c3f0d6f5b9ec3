"""The loss of YOLO11 as configured here, against an independent implementation's values and gradients."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch.nn.parallel import DistributedDataParallel

from mmseam.registry import MODELS

CONFIG = 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-500e_coco.py'
SIDE = 64
SWITCHES = dict(
    cls_weighting=dict(type='mmseam.SlideWeight'),
    loss_repulsion=dict(type='mmseam.RepulsionLoss'),
    loss_bbox=dict(type='mmseam.NWDIoULoss', reduction='sum', loss_weight=7.5, _delete_=True))


@pytest.fixture()
def head(repo):
    cfg = Config.fromfile(repo / CONFIG)
    cfg.model.bbox_head.head_module.num_classes = 2
    cfg.model.train_cfg.assigner.num_classes = 2
    cfg.model.bbox_head.update(train_cfg=cfg.model.train_cfg)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model.bbox_head).train()


def test_losses_and_gradients(test_data, head):
    golden = np.load(test_data / 'golden' / 'detection_loss.npz')
    predictions = [torch.tensor(golden[f'pred_{i}'], requires_grad=True) for i in range(3)]
    h, w = golden['image_hw']
    cx, cy, bw, bh = (golden['bboxes_cxcywh_norm'] * [w, h, w, h]).T
    corners = np.stack([cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2], 1)
    targets = torch.tensor(np.column_stack([golden['batch_idx'], golden['labels'], corners]), dtype=torch.float32)

    # The head module's own decoding, fed with the raw logits instead of its branches.
    def split(x):
        return head.head_module.forward_single(x, lambda x: x[:, 64:], lambda x: x[:, :64])

    outputs = list(map(list, zip(*map(split, predictions))))
    metas = [dict(batch_input_shape=(h, w))] * 2
    losses = head.loss_by_feat(*outputs, targets, metas)
    total = sum(losses.values())
    total.backward()

    box, cls, dfl = golden['loss_box_cls_dfl'] * 2  # the sum over the batch of 2
    assert losses['loss_bbox'].item() == pytest.approx(box, rel=1e-3)
    assert losses['loss_cls'].item() == pytest.approx(cls, rel=1e-3)
    assert losses['loss_dfl'].item() == pytest.approx(dfl, rel=1e-3)
    assert total.item() == pytest.approx(golden['total_times_batch'], rel=1e-3)
    for i, prediction in enumerate(predictions):
        expected = golden[f'grad_{i}']
        error = np.linalg.norm(prediction.grad.numpy() - expected) / np.linalg.norm(expected)
        assert error < 1e-3, f'gradient of level {i}: relative error {error:.2e}'


def make_detector(with_switches: bool = False) -> torch.nn.Module:
    """Build the whole network in double precision; its normalization does not depend on the batch."""
    torch.manual_seed(0)
    cfg = Config.fromfile(Path(__file__).resolve().parents[3] / CONFIG)
    cfg.model.use_syncbn = False
    if with_switches:
        cfg.merge_from_dict(dict(model=dict(bbox_head=SWITCHES)))
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        detector = MODELS.build(cfg.model)
    detector.init_weights()
    detector.train()
    for module in detector.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    return detector.double()


def make_batch(chosen: slice) -> dict:
    """Select some of six images, which have 0, 1, 4, 9, 16 and 25 boxes."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(6, 3, SIDE, SIDE, generator=generator, dtype=torch.float64)
    rows = []
    for image in range(6):
        corners = torch.rand(image**2, 2, 2, generator=generator, dtype=torch.float64).sort(1).values * (SIDE - 8)
        boxes = torch.cat([corners[:, 0], corners[:, 1] + 8], 1)
        rows.append(torch.cat([torch.zeros(len(boxes), 2, dtype=torch.float64), boxes], 1))
    rows = rows[chosen]
    for place, boxes in enumerate(rows):
        boxes[:, 0] = place
    metas = [dict(batch_input_shape=(SIDE, SIDE))] * len(rows)
    return dict(inputs=images[chosen], data_samples=dict(bboxes_labels=torch.cat(rows), img_metas=metas), mode='loss')


def gradients(detector: torch.nn.Module, batch: dict) -> torch.Tensor:
    sum(detector(**batch).values()).backward()
    return torch.cat([parameter.grad.flatten() for parameter in detector.parameters() if parameter.requires_grad])


def compute_gradients_of_half() -> None:
    """Entry of each process of the test below."""
    torch.distributed.init_process_group('gloo')
    first, last = (int(number) for number in sys.argv[3 + torch.distributed.get_rank()].split(':'))
    detector = DistributedDataParallel(make_detector(sys.argv[2] == 'with switches'))
    computed = gradients(detector, make_batch(slice(first, last)))
    if torch.distributed.get_rank() == 0:
        torch.save(computed, sys.argv[1])
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize('losses, split', [
    ('plain', ('0:3', '3:6')), ('plain', ('0:1', '1:6')), ('with switches', ('0:1', '1:6'))
], ids=['equal halves', 'one without boxes', 'one without boxes, with switches'])
def test_two_processes_compute_the_gradient_of_the_whole_batch(tmp_path, losses, split):
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', __file__,
               tmp_path / 'gradients.pt', losses, *split]
    environment = dict(os.environ, OMP_NUM_THREADS='1')
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert ran.returncode == 0, ran.stderr
    detector = make_detector(losses == 'with switches')
    expected, found = gradients(detector, make_batch(slice(6))), torch.load(tmp_path / 'gradients.pt')
    assert (found - expected).norm() < 1e-6 * expected.norm(), (found.norm() / expected.norm()).item()


if __name__ == '__main__':
    compute_gradients_of_half()
