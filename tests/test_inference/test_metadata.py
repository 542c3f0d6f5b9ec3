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


@pytest.mark.parametrize('field, text', [
    ('classes', '[]'), ('classes', '"face"'), ('classes', '[1]'), ('classes', '["a\\u001b[2J"]'), ('classes', '{}'),
    ('classes', '[' + '"a",' * 100_000 + '"a"]'), ('classes', '["' + 'a' * 4_000_000 + '"]'), ('classes', '[[["a"]]]'),
    ('strides', '[]'), ('strides', '[0]'), ('strides', '[-8]'), ('strides', '[8.5]'), ('strides', '[1e99]'),
    ('strides', '[true]'), ('strides', '8'), ('strides', '[' + '8,' * 99 + '8]'), ('strides', '[1' + '0' * 30 + ']'),
    ('mean', '[0, 0]'), ('mean', '[NaN, 0, 0]'), ('mean', '[Infinity, 0, 0]'), ('mean', '["a", 0, 0]'), ('mean', '0'),
    ('std', '[0, 1, 1]'), ('std', '[-1, 1, 1]'), ('std', '[NaN, 1, 1]'), ('std', '[1e-300, 1, 1]'), ('std', '[1]'),
    ('to_rgb', '1'), ('dynamic', 'null'), ('has_nms', '"no"'), ('allow_scale_up', '[]'),
    ('input_size', '[64]'), ('input_size', '[-64, 64]'), ('input_size', '[0, 0]'), ('input_size', '[64, 65]'),
    ('input_size', '[1000000, 64]'), ('input_size', '[64.0, 64]'), ('pad_value', '1e9'), ('pad_value', 'NaN'),
    ('config', '5'), ('config', '"' + 'a' * 5000 + '"'), ('version', 'null'),
    ('classes', '[' * 100_000), ('strides', '[' + '9' * 5000 + ']'),
])
def test_what_mmseam_never_writes_is_refused(metadata, field, text):
    with pytest.raises(ValueError, match='the metadata are damaged: '):
        ModelMetadata.from_strings(dict(metadata().to_strings(), **{field: text}))


@pytest.mark.parametrize('change, message', [
    (dict(score_thr=float('nan')), 'test_cfg.score_thr must be a number from -1 to 1, not nan'),
    (dict(score_thr=30), 'test_cfg.score_thr must be a number from -1 to 1, not 30'),
    (dict(scor_thr=.5), "test_cfg has the unknown key 'scor_thr'; did you mean 'score_thr'?"),
    (dict(max_per_img=0), 'test_cfg.max_per_img must be a whole number from 1 to 1e+09, not 0'),
    (dict(max_per_img=True), 'test_cfg.max_per_img must be a whole number'),
    (dict(nms_pre=1.5), 'test_cfg.nms_pre must be a whole number'),
    (dict(multi_label='no'), "test_cfg.multi_label must be True or False, not 'no'"),
    (dict(nms='nms'), 'test_cfg.nms must be a dict or None, not a str'),
    (dict(nms=dict(type='nmss')), "test_cfg.nms.type must be 'nms' or 'soft_nms', not 'nmss'"),
    (dict(nms=dict(type='nms_match')), "test_cfg.nms.type must be 'nms' or 'soft_nms'"),
    (dict(nms=dict(type='open')), "test_cfg.nms.type must be 'nms' or 'soft_nms'"),
    (dict(nms=dict(type=['nms'])), "test_cfg.nms.type must be 'nms' or 'soft_nms', not a list"),
    (dict(nms=dict(typ='nms')), "test_cfg.nms has the unknown key 'typ'; did you mean 'type'?"),
    (dict(nms=dict(type='nms', iou_threshold=2)), 'test_cfg.nms.iou_threshold must be a number from 0 to 1, not 2'),
    (dict(nms=dict(type='nms', sigma=.5)), "test_cfg.nms has the unknown key 'sigma'"),
])
def test_post_processing_that_cannot_be_is_refused(metadata, change, message):
    with pytest.raises(ValueError) as error:
        metadata(test_cfg=dict(metadata().test_cfg, **change))
    assert message in str(error.value)


@pytest.mark.parametrize('key', ['nms', 'max_per_img', 'multi_label'])
def test_settings_that_the_post_processing_needs(metadata, key):
    settings = {name: value for name, value in metadata().test_cfg.items() if name != key}
    with pytest.raises(ValueError, match=f'test_cfg has no {key}'):
        metadata(test_cfg=settings)


@pytest.mark.parametrize('nms', [None, dict(type='soft_nms', iou_threshold=.3, method='gaussian', sigma=.5)])
def test_other_kinds_of_suppression(metadata, nms):
    assert metadata(test_cfg=dict(metadata().test_cfg, nms=nms)).test_cfg['nms'] == nms


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
