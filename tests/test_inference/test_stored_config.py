"""A checkpoint alone is enough for inference, and its config, a stranger's text, runs nothing."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmseam.apis import load_detector
from mmseam.inference.stored_config import load_stored_config
from mmseam.registry import MODELS
from mmseam.utils.config import ConfigError, load_config

NAME = 'yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface'


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Checkpoint as MMEngine writes it, and its config."""
    cfg = load_config(NAME, ['img_scale=96,96'])
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmyolo'):
        model = MODELS.build(cfg.model)
    for branch in model.bbox_head.head_module.cls_preds:
        torch.nn.init.normal_(branch[-1].weight)
    path = tmp_path_factory.mktemp('stored') / 'epoch_5.pth'
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=('face', )))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path, cfg


@pytest.fixture()
def write(trained, tmp_path, monkeypatch):
    """Write a checkpoint with another config."""
    monkeypatch.chdir(tmp_path)

    def write_checkpoint(text):
        path = tmp_path / 'stranger.pth'
        torch.save(dict(state_dict={}, meta=dict(cfg=text)), path)
        return path
    return write_checkpoint


def test_the_checkpoint_alone_finds_the_same(trained, tmp_path):
    path, cfg = trained
    cfg.dump(str(tmp_path / 'config.py'))
    image = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    alone, both = (load_detector(*files, device='cpu')([image], 0.01)[0] for files in (
        [path], [tmp_path / 'config.py', path]))
    assert len(alone) == len(both) > 0 and alone.names == {0: 'face'}
    np.testing.assert_array_equal(alone.boxes, both.boxes)
    np.testing.assert_array_equal(alone.scores, both.scores)


def changed(trained, **changes) -> str:
    cfg = Config(trained[1].to_dict())
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in changes.items()})
    return cfg.pretty_text


@pytest.mark.parametrize('changes, named', [
    (dict(model__type='os.system', model__command='touch hacked'), "type 'os.system'"),
    (dict(model__neck__type='mmengine.load'), "type 'mmengine.load'"),
    (dict(model__neck__type='mmengine.fileio.load'), "type 'mmengine.fileio.load'"),
    (dict(model__backbone__type='builtins.exec'), "type 'builtins.exec'"),
    (dict(model__backbone__type='mmdet.BertModel'), "type 'mmdet.BertModel'"),
    (dict(model__type='mmdet.KnowledgeDistillationSingleStageDetector', model__teacher_config='evil.py'), 'type'),
    (dict(model__test_cfg__nms__type='__import__("os").system("touch hacked")'), 'type'),
    (dict(model___scope_='evil'), "_scope_ 'evil'"),
    (dict(default_scope='evil'), "default_scope 'evil'"),
    (dict(model__neck__type=['mmseam.YOLO11PAFPN']), 'type'),
], ids=['function', 'host function', 'path', 'builtin', 'language model', 'config of a teacher', 'nms', 'scope',
        'default scope', 'no text'])
def test_types_that_are_no_layers_are_refused(trained, write, changes, named):
    with pytest.raises(ConfigError, match=f'the config in .*stranger.pth: .*{named}'.replace('(', r'\(')):
        load_stored_config(write(changed(trained, **changes)))
    assert not Path('hacked').exists()


def test_hooks_and_imports_of_a_stranger_are_not_used(trained, write):
    Path('evil_module.py').write_text("open('hacked', 'w')")
    text = changed(trained, custom_imports__imports=['evil_module'], model__init_cfg=dict(type='Pretrained'))
    cfg = load_stored_config(write(text))
    assert set(cfg) == {'model', 'default_scope', 'test_dataloader'} and 'init_cfg' not in cfg.model
    assert not Path('hacked').exists()


@pytest.mark.parametrize('text, message', [
    ("open('hacked', 'w')", 'the config in .*stranger.pth: line 1'),
    ('a = 1', 'has no model or no test_dataloader'),
    ('model = dict()\ntest_dataloader = [1]', 'has no model or no test_dataloader'),
    (None, 'stores no config'), (7, 'stores no config'),
], ids=['code', 'empty', 'list', 'none', 'number'])
def test_other_texts_are_refused(write, text, message):
    with pytest.raises(ConfigError, match=message):
        load_stored_config(write(text))
    assert not Path('hacked').exists()


def test_own_layers_are_allowed_once_imported(trained, write):
    text = changed(trained, model__backbone__type='MineOfThisTest')
    with pytest.raises(ConfigError, match="type 'MineOfThisTest' is not known"):
        load_stored_config(write(text))
    MODELS.register_module(name='MineOfThisTest', module=type('MineOfThisTest', (torch.nn.Module, ), {}))
    try:
        assert load_stored_config(write(text)).model.backbone.type == 'MineOfThisTest'
    finally:
        del MODELS.module_dict['MineOfThisTest']
