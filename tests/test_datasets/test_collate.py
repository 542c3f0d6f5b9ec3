"""``yolo_collate`` as MMEngine's runner resolves it."""
import pytest
import torch
from mmengine.runner import Runner
from wider_face_files import face, write_wider_face

pytestmark = pytest.mark.usefixtures('mmyolo_scope')


def batch_of(tmp_path, **collate_options):
    faces = {
        'e/a.jpg': [face(1, 2, 30, 40), face(5, 5, 9, 9, invalid=1)],
        'e/none.jpg': [],
        'e/c.jpg': [face(3, 4, 5, 6)]
    }
    pipeline = [
        dict(type='mmseam.LoadIntactImage'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='mmdet.PackDetInputs', meta_keys=('img_id', ))
    ]
    loader = Runner.build_dataloader(
        dict(
            batch_size=3,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='mmseam.yolo_collate', **collate_options),
            dataset=dict(type='mmseam.WIDERFaceDataset', pipeline=pipeline, **write_wider_face(tmp_path, faces))))
    return next(iter(loader))


@pytest.mark.parametrize('stamp', [{}, dict(_scope_='mmseam')], ids=['plain', 'inherited config'])
def test_batch(tmp_path, stamp):
    batch = batch_of(tmp_path, **stamp)
    assert batch['inputs'].shape == (3, 3, 80, 120)
    expected = [[0, 0, 1, 2, 31, 42], [2, 0, 3, 4, 8, 10]]
    assert torch.equal(batch['data_samples']['bboxes_labels'], torch.tensor(expected, dtype=torch.float32))


def test_multi_scale_training(tmp_path):
    inputs = batch_of(tmp_path, use_ms_training=True, _scope_='mmseam')['inputs']
    assert isinstance(inputs, list)
    assert [image.shape for image in inputs] == [(3, 80, 120)] * 3
