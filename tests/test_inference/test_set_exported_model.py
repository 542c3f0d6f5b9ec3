"""An exported file takes the place of a config's model only where it fits."""
from argparse import Namespace
from pathlib import Path

import pytest
from exported_models import TEST_CFG, write_onnx, write_onnx_with_nms
from tiny_training import write_tiny_training

from mmseam.apis.testing import load_test_config
from mmseam.inference.exported_detector import set_exported_model
from mmseam.utils.config import ConfigError, load_config

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

BASE = Path(__file__).resolve().parent.parent.parent / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    return write_tiny_training(tmp_path_factory.mktemp('tiny'), BASE)


def options(config, checkpoint, **changes):
    defaults = dict(cfg_options=None, work_dir=None, show=False, show_dir=None, json_prefix=None, tta=False,
                    launcher='none', local_rank=0, deploy=False)
    return Namespace(config=str(config), checkpoint=str(checkpoint), **{**defaults, **changes})


def test_the_file_becomes_the_model(config, tmp_path):
    file = write_onnx(tmp_path / 'tiny.onnx')
    cfg = load_test_config(options(config, file))
    original = load_config(config)
    assert cfg.model == dict(type='mmseam.ExportedDetector', file=str(file), test_cfg=original.model.test_cfg,
                             data_preprocessor=original.model.data_preprocessor)
    assert cfg.load_from is None
    # Nothing to compare with a checkpoint, and no weights to average
    assert [hook for hook in original.custom_hooks if hook not in cfg.custom_hooks] == [
        hook for hook in original.custom_hooks if hook.type == 'mmseam.EMAHook']
    assert all(hook in original.custom_hooks for hook in cfg.custom_hooks)


def test_settings_in_a_file_with_nms_go_before_those_of_the_config(config, tmp_path):
    import numpy as np
    file = write_onnx_with_nms(tmp_path / 'nms.onnx', np.zeros((1, 6)), np.zeros(1))
    cfg = load_config(config)
    set_exported_model(cfg, str(file))
    assert cfg.model.test_cfg == TEST_CFG


@pytest.mark.parametrize('changes, message', [
    (dict(input_size=(96, 64)), r'input size is \(96, 64\) in the file and \(64, 64\) in the config'),
    (dict(std=(1., 1., 1.)), r'std is \(1.0, 1.0, 1.0\) in the file and \(255.0'),
    (dict(to_rgb=False), 'to rgb is False in the file and True in the config'),
    (dict(classes=('a', 'b')), 'the file has 2 classes, the test set 1'),
    (dict(classes=('dog', )), "class 0 is 'dog' in the file and 'face' in the test set"),
])
def test_a_file_of_another_config_is_refused(config, tmp_path, changes, message):
    file = write_onnx(tmp_path / 'tiny.onnx', **changes)
    with pytest.raises(ConfigError, match=f'(?s)tiny.onnx.*does not fit .*tiny_face.py:.*{message}'):
        set_exported_model(load_config(config), str(file))


def test_spelling_of_class_names_may_differ_in_case(config, tmp_path):
    set_exported_model(load_config(config), str(write_onnx(tmp_path / 'tiny.onnx', classes=('Face', ))))


@pytest.mark.parametrize('overrides, tta, message', [
    (['test_dataloader.dataset.pipeline.2.use_mini_pad=True'], False, 'no LetterResize of a fixed size'),
    (['test_dataloader.dataset.batch_shapes_cfg.type=BatchShapePolicy'], False, 'batch_shapes_cfg of the test set'),
    (None, True, '--tta varies the image size, but the model takes 64x64 only'),
])
def test_images_of_several_sizes_need_a_dynamic_model(config, tmp_path, overrides, tta, message):
    cfg = load_config(config, overrides)
    with pytest.raises(ConfigError, match=message):
        set_exported_model(cfg, str(write_onnx(tmp_path / 'tiny.onnx')), tta)
    set_exported_model(cfg, str(write_onnx(tmp_path / 'tiny.onnx', dynamic=True)), tta)


def test_other_detectors_than_yolo_have_no_exported_files(config, tmp_path):
    cfg = load_config(config, ['model.bbox_head=None'])
    with pytest.raises(ConfigError, match='not a YOLO detector'):
        set_exported_model(cfg, str(write_onnx(tmp_path / 'tiny.onnx')))


@pytest.mark.parametrize('changes, message', [
    (dict(launcher='pytorch'), '--launcher pytorch: an exported model is tested by one process'),
    (dict(deploy=True), '--deploy: .*tiny.onnx is already fused'),
])
def test_options_for_checkpoints_only(config, tmp_path, changes, message):
    file = write_onnx(tmp_path / 'tiny.onnx')
    with pytest.raises(ConfigError, match=message):
        load_test_config(options(config, file, **changes))


def test_a_damaged_file_is_an_error_of_the_options(config, tmp_path):
    (tmp_path / 'broken.onnx').write_bytes(b'no model')
    with pytest.raises(ConfigError, match='broken.onnx cannot be loaded by onnxruntime'):
        load_test_config(options(config, tmp_path / 'broken.onnx'))
    with pytest.raises(FileNotFoundError, match='none.onnx'):
        load_test_config(options(config, tmp_path / 'none.onnx'))


def test_deploy_form_of_a_checkpoint(config, tmp_path):
    checkpoint = tmp_path / 'model.pth'
    checkpoint.touch()
    plain, deployed = (load_test_config(options(config, checkpoint, deploy=deploy)) for deploy in (False, True))
    added = [hook for hook in deployed.custom_hooks if hook not in plain.custom_hooks]
    assert added == [dict(type='mmseam.SwitchToDeployHook')]
    assert deployed.load_from == str(checkpoint)
