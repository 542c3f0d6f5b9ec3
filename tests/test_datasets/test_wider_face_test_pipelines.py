"""Boxes come back from every way of testing WIDER FACE to where they were in the image."""
import cv2
import numpy as np
import pytest
import torch
from mmdet.models.test_time_augs import DetTTAModel
from mmengine.config import Config
from mmengine.dataset import Compose

pytestmark = pytest.mark.usefixtures('mmyolo_scope')
# Landscape, portrait (padded left and right, unevenly), and sides of one pixel over and under a whole stride
SIZES = [(1024, 683), (501, 803), (321, 1023), (640, 640)]


@pytest.fixture(scope='module')
def cfg(repo):
    return Config.fromfile(repo / 'configs/yolo11/yolo11_n_original-size_syncbn_fast_8xb16-250e_widerface.py')


def write_box(path, size):
    """Write an image of a white box on black; return its corners."""
    width, height = size
    box = np.array([width // 5, height // 6, width // 5 + width // 3, height // 6 + height // 4])
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[box[1]:box[3], box[0]:box[2]] = 255
    cv2.imwrite(str(path), image)
    return box


def views(pipeline, path):
    """Run the pipeline; return inputs (3, H, W) with their data samples."""
    data = Compose(pipeline)(dict(img_path=str(path), img_id=0, instances=[]))
    one = torch.is_tensor(data['inputs'])
    return zip([data['inputs']] if one else data['inputs'], [data['data_samples']] if one else data['data_samples'])


def find_box(view, sample):
    """Find the white box in pixels of the original view, mapped back as MMYOLO's head does, and its scale."""
    rows, columns = np.nonzero(view.numpy()[0] > 184)  # halfway between the padding and white
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=np.float64)
    box -= np.asarray(sample.pad_param)[[2, 0, 2, 0]]
    return box / np.tile(sample.scale_factor, 2), min(sample.scale_factor)


@pytest.mark.parametrize('size', SIZES)
def test_single_scale(cfg, tmp_path, size):
    box = write_box(tmp_path / 'a.png', size)
    (view, sample), = views(cfg.val_dataloader.dataset.pipeline, tmp_path / 'a.png')
    assert view.shape == (3, 640, 640)
    found, scale = find_box(view, sample)
    assert np.abs(found - box).max() <= 1 / scale


@pytest.mark.parametrize('size', SIZES)
def test_original_size(cfg, tmp_path, size):
    box = write_box(tmp_path / 'a.png', size)
    (view, sample), = views(cfg.test_dataloader.dataset.pipeline, tmp_path / 'a.png')
    width, height = (-(-side // 32) * 32 for side in size)
    assert view.shape == (3, height, width)
    assert sample.ori_shape == size[::-1] and sample.scale_factor == (1, 1)
    found, _ = find_box(view, sample)
    assert (found == box).all()


@pytest.mark.parametrize('size', SIZES)
def test_augmented(cfg, tmp_path, size):
    box = write_box(tmp_path / 'a.png', size)
    tested = list(views(cfg.tta_pipeline, tmp_path / 'a.png'))
    assert [(view.shape[1:], sample.flip) for view, sample in tested] == [
        ((side, side), flip) for flip in (False, True) for side in (640, 960, 1280)]
    for view, sample in tested:
        found, scale = find_box(view, sample)
        back = DetTTAModel.merge_aug_bboxes(None, [torch.from_numpy(found[None])], None, [sample.metainfo])
        # a pixel of the view at most: the edge of the box is blurred
        assert np.abs(back[0].numpy() - box).max() <= 1 / scale
        assert 'instances' in sample.metainfo


def test_merging_keeps_the_protocols_limits(cfg):
    assert cfg.tta_model.tta_cfg == dict(nms=dict(cfg.model.test_cfg.nms), max_per_img=cfg.model.test_cfg.max_per_img)
