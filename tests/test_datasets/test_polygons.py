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
    """Return the steps of the config: those that load, or all of the training."""
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


@pytest.mark.parametrize('seed', range(20))
def test_boxes_without_polygon_are_moved_and_filtered_as_boxes(tmp_path, seed):
    """Faces as large as the image among them: as by MMYOLO's affine without masks, whose least share is .1."""
    boxes = [coco_box(box) for box in ((0, 0, 120, 80), (2, 3, 117, 40), BOX, (50, 0, 20, 80), (5, 5, 8, 9))]
    affine = dict(max_rotate_degree=0., max_shear_degree=0., scaling_ratio_range=(.5, 2.5), max_translate_ratio=.4,
                  max_aspect_ratio=100)
    found = []
    for load, kind in ((dict(type='mmseam.LoadPolygonsOrBoxes'), dict(type='mmseam.RandomAffineOutlines',
                                                                      min_area_ratio=.01, **affine)),
                       (dict(type='LoadAnnotations', with_bbox=True), dict(type='YOLOv5RandomAffine',
                                                                           min_area_ratio=.1, **affine))):
        dataset = build(tmp_path, boxes, [dict(type='mmseam.LoadIntactImage'), load, kind])
        set_random_seed(seed)
        found.append(dataset[0])
    np.testing.assert_array_equal(found[0]['img'], found[1]['img'])
    assert len(found[0]['gt_masks']) == len(found[0]['gt_bboxes_labels']) == len(found[1]['gt_bboxes'])
    np.testing.assert_allclose(found[0]['gt_bboxes'].tensor, found[1]['gt_bboxes'].tensor, atol=2e-3)


def test_a_sliver_of_an_outline_stays(tmp_path):
    """The crop leaves 7 % of the boxes of two equal objects; the outline of one says that it is there."""
    annotations = [coco_box((77, 10, 43, 40), segmentation=[[77, 10, 120, 10, 120, 50, 77, 50, 77, 30]]),
                   coco_box((77, 10, 43, 40))]
    crop = dict(type='mmseam.RandomAffineOutlines', max_rotate_degree=0., max_shear_degree=0., max_translate_ratio=0.,
                scaling_ratio_range=(1., 1.), border=(-40, 0), min_area_ratio=.01, max_aspect_ratio=100)
    sample = build(tmp_path, annotations, [*pipeline(), crop])[0]
    assert len(sample['gt_bboxes']) == len(sample['gt_masks']) == 1
    assert sample['gt_masks'].masks[0][0].size > 8
    np.testing.assert_allclose(sample['gt_bboxes'].tensor, [[37, 10, 40, 50]], atol=.2)  # of the points inside
