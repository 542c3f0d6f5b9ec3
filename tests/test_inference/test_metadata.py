"""What exported files say about themselves."""
import dataclasses

import pytest

from mmseam.inference.metadata import ModelMetadata
from mmseam.utils.config import load_config


@pytest.fixture
def cfg():
    return load_config('yolo11_n_syncbn_fast_8xb16-250e_widerface')


def test_texts_hold_everything(metadata):
    before = metadata(dynamic=True, pad_value=.5)
    texts = before.to_strings()
    assert all(isinstance(text, str) for text in texts.values())
    assert ModelMetadata.from_strings(dict(texts, more='of the engine')) == before


def test_missing_field(metadata):
    texts = metadata().to_strings()
    del texts['strides']
    with pytest.raises(ValueError, match='the metadata lack strides'):
        ModelMetadata.from_strings(texts)


def test_damaged_field(metadata):
    with pytest.raises(ValueError, match='damaged'):
        ModelMetadata.from_strings(dict(metadata().to_strings(), classes='(one'))


def test_from_config(cfg):
    found = dataclasses.asdict(ModelMetadata.from_config(cfg, (160, 192), dynamic=True))
    found.pop('version')
    assert found == dict(
        classes=('face', ), strides=(8, 16, 32), mean=(0., 0., 0.), std=(255., 255., 255.), to_rgb=True,
        input_size=(160, 192), dynamic=True, has_nms=False, pad_value=114., allow_scale_up=True,
        test_cfg=dict(multi_label=False, nms_pre=30000, score_thr=.01, nms=dict(type='nms', iou_threshold=.5),
                      max_per_img=1000), config='yolo11_n_syncbn_fast_8xb16-250e_widerface')
    assert [type(value) for value in (found['test_cfg'], found['test_cfg']['nms'])] == [dict, dict]


def test_size_of_the_test_pipeline(cfg):
    cfg.test_dataloader.dataset.pipeline[2].scale = (640, 192)  # width, height
    assert ModelMetadata.from_config(cfg).input_size == (192, 640)


def test_pipeline_without_fixed_size():
    cfg = load_config('yolo11_n_multiseam_original-size_syncbn_fast_8xb16-250e_widerface')
    assert not ModelMetadata.from_config(cfg, (640, 640)).allow_scale_up
    with pytest.raises(ValueError, match='--imgsz'):
        ModelMetadata.from_config(cfg)


def test_images_that_are_not_enlarged(cfg):
    pipeline = cfg.test_dataloader.dataset.pipeline
    cfg.test_dataloader.dataset.pipeline = [pipeline[0], *pipeline[2:]]
    assert not ModelMetadata.from_config(cfg).allow_scale_up


@pytest.mark.parametrize('size', [(640, 650), (0, 32), (-32, 32)])
def test_size_of_no_whole_strides(cfg, size):
    with pytest.raises(ValueError, match='multiple of 32'):
        ModelMetadata.from_config(cfg, size)


def test_classes_of_the_checkpoint_go_first(cfg):
    meta = dict(dataset_meta=dict(classes=('head', )))
    assert ModelMetadata.from_config(cfg, checkpoint_meta=meta).classes == ('head', )


def test_wrong_number_of_classes(cfg):
    with pytest.raises(ValueError, match='the head has 1 classes, but the checkpoint or the test set names 2'):
        ModelMetadata.from_config(cfg, checkpoint_meta=dict(dataset_meta=dict(classes=('a', 'b'))))
