"""Objects with and without polygons through the transforms of the COCO configs."""
import numpy as np
import pytest
from coco_files import coco_box, write_coco
from config_files import CONFIGS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import set_random_seed

from mmseam.registry import DATASETS

DIAMOND = [30, 10, 50, 30, 30, 50, 10, 30]
RLE = dict(size=[80, 120], counts='1234')
BOX = (70, 20, 30, 40)


def pipeline(mixed=False):
    """The steps of the config: those that load, or all of the training."""
    cfg = Config.fromfile(CONFIGS / 'yolo11/yolo11_n_syncbn_fast_8xb16-500e_coco.py')
    return cfg.train_dataloader.dataset.pipeline if mixed else cfg.pre_transform


def build(folder, annotations, steps):
    write_coco(folder, {f'{i}.jpg': annotations for i in range(4)})
    with DefaultScope.overwrite_default_scope('mmyolo'):
        return DATASETS.build(dict(
            type='mmyolo.YOLOv5CocoDataset', data_root=str(folder), ann_file='train.json', pipeline=steps,
            data_prefix=dict(img='images/'), metainfo=dict(classes=('face', ))))


@pytest.mark.parametrize('segmentation', [None, [], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], RLE],
                         ids=['absent', 'empty', 'two points', 'odd', 'run lengths'])
def test_an_object_without_polygon_keeps_its_annotated_box(tmp_path, segmentation):
    crowd = dict(coco_box((0, 0, 100, 60), segmentation=RLE), iscrowd=1)
    loaded = build(tmp_path, [coco_box(BOX, segmentation=segmentation), crowd, coco_box((10, 10, 40, 40),
                   segmentation=[DIAMOND])], pipeline())[0]
    assert loaded['gt_bboxes'].tensor.tolist() == [[70, 20, 100, 60], [10, 10, 50, 50]]
    assert loaded['gt_bboxes_labels'].tolist() == [0, 0]
    assert len(loaded['gt_masks']) == len(loaded['gt_ignore_flags']) == 2
    np.testing.assert_array_equal(loaded['gt_masks'].masks[1][0], DIAMOND)


def test_boxes_alone_reach_the_network(tmp_path):
    dataset = build(tmp_path, [coco_box(BOX), coco_box((10, 10, 30, 30))], pipeline(mixed=True))
    set_random_seed(0)
    found = [len(dataset[i]['data_samples'].gt_instances) for i in range(4)]
    assert sum(found) > 4


def test_only_outlines_are_pasted(tmp_path):
    steps = [*pipeline(), dict(type='mmseam.CopyPasteOutlines', prob=1.0)]
    sides = build(tmp_path / 'both', [coco_box((90, 5, 10, 20)), coco_box((10, 30, 20, 40), segmentation=[
        [20, 30, 30, 50, 20, 70, 10, 50]])], steps)[0]
    assert sides['gt_bboxes'].tensor.tolist() == [[90, 5, 100, 25], [10, 30, 30, 70], [90, 30, 110, 70]]
    alone = build(tmp_path / 'boxes', [coco_box((90, 5, 10, 20))], steps)[0]
    before = build(tmp_path / 'boxes', [coco_box((90, 5, 10, 20))], pipeline())[0]
    assert len(alone['gt_bboxes']) == 1
    np.testing.assert_array_equal(alone['img'], before['img'])
    assert len(build(tmp_path / 'none', [], steps)[0]['gt_bboxes']) == 0
