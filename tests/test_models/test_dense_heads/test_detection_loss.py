"""The loss of YOLO11 as configured here, against an independent implementation's values and gradients."""
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmseam.registry import MODELS

CONFIG = 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-500e_coco.py'


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
