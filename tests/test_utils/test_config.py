"""Configs by path and name, overrides, the options of training and testing."""
import pytest
import torch
from mmengine.config import Config

from mmseam.apis import testing as testing_options
from mmseam.apis import training as training_options
from mmseam.utils.config import ConfigError, find_config, load_config, parse_overrides, set_launcher

NAME = 'yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface'


@pytest.mark.parametrize('name', [NAME, f'{NAME}.py'])
def test_own_configs_are_found_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(name).is_file()
    assert find_config(name).name == f'{NAME}.py'


def test_a_path_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f'{NAME}.py').write_text('a = 1')
    assert load_config(f'{NAME}.py').a == 1


def test_similar_configs_are_suggested():
    with pytest.raises(ConfigError, match=rf"no config 'configs/x/{NAME}s.py'; similar ones are {NAME}, "):
        find_config(f'configs/x/{NAME}s.py')
    with pytest.raises(ConfigError, match="no config 'zzz'; mmseam's own are in .*configs"):
        find_config('zzz')


def test_base_fragments_are_not_offered():
    with pytest.raises(ConfigError) as error:
        find_config('wider_face')
    assert '_base_' not in str(error.value)


def test_overrides_are_read_as_mmengine_does():
    assert parse_overrides(['a.b=1', 'c=[x,2.5]', 'd="(1,2)"', 'e=a=b', 'f=None']) == {
        'a.b': 1, 'c': ['x', 2.5], 'd': (1, 2), 'e': 'a=b', 'f': None}


@pytest.mark.parametrize('pairs, message', [(['a'], "'a' is not of the form key=value"), (['a=[1,(2]'], 'brackets')])
def test_bad_overrides(pairs, message):
    with pytest.raises(ConfigError, match=message):
        parse_overrides(pairs)


def test_an_override_that_does_not_fit(tmp_path):
    (tmp_path / 'a.py').write_text('steps = [1, 2]')
    with pytest.raises(ConfigError, match='does not fit .*a.py'):
        load_config(tmp_path / 'a.py', ['steps.7.x=3'])


@pytest.mark.parametrize('text', ['a = (', "_base_ = './missing.py'"])
def test_a_damaged_config_is_named(tmp_path, text):
    (tmp_path / 'a.py').write_text(text)
    with pytest.raises(ConfigError, match='a.py: '):
        load_config(tmp_path / 'a.py')


def test_work_dir(tmp_path):
    config = tmp_path / 'a.py'
    config.write_text('x = 1')
    assert load_config(config).work_dir == 'work_dirs/a'
    assert load_config(config, ['work_dir=own']).work_dir == 'own'
    assert load_config(config, ['work_dir=own'], 'given').work_dir == 'given'


def test_launcher_without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setenv('LOCAL_RANK', '3')
    cfg = Config()
    set_launcher(cfg, 'none', 0)
    assert cfg.launcher == 'none'
    with pytest.raises(ConfigError, match='--launcher slurm needs CUDA'):
        set_launcher(cfg, 'slurm', 0)


def test_amp(monkeypatch):
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ConfigError, match='needs a CUDA device'):
        training_options.enable_amp(cfg)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    training_options.enable_amp(cfg)
    assert cfg.optim_wrapper == dict(type='AmpOptimWrapper', loss_scale='dynamic')
    cfg = Config(dict(optim_wrapper=dict(type='mmseam.AccumulatingOptimWrapper')))
    training_options.enable_amp(cfg)
    training_options.enable_amp(cfg)
    assert cfg.optim_wrapper == dict(type='mmseam.AccumulatingAmpOptimWrapper', loss_scale='dynamic')
    with pytest.raises(ConfigError, match='the config has ApexOptimWrapper'):
        training_options.enable_amp(Config(dict(optim_wrapper=dict(type='ApexOptimWrapper'))))


def test_auto_scale_lr():
    cfg = Config(dict(auto_scale_lr=dict(enable=False, base_batch_size=16)))
    training_options.enable_auto_scale_lr(cfg)
    assert cfg.auto_scale_lr.enable is True
    for without in (dict(), dict(auto_scale_lr=dict(enable=False))):
        with pytest.raises(ConfigError, match='base_batch_size='):
            training_options.enable_auto_scale_lr(Config(without))


def test_resume(tmp_path):
    cfg = Config(dict(load_from='x.pth', work_dir='w'))
    training_options.set_resume(cfg, None)
    assert 'resume' not in cfg
    assert cfg.load_from == 'x.pth'
    training_options.set_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == ('auto', 'x.pth')  # which serves where there is nothing to resume
    (tmp_path / 'a.pth').touch()
    training_options.set_resume(cfg, str(tmp_path / 'a.pth'))
    assert cfg.load_from == str(tmp_path / 'a.pth')
    with pytest.raises(ConfigError, match='there is no checkpoint b.pth'):
        training_options.set_resume(cfg, 'b.pth')


def test_json_prefix_keeps_only_what_can_write_json():
    cfg = Config(dict(test_evaluator=[dict(type='VOCMetric'), dict(type='mmdet.CocoMetric')]))
    testing_options.set_format_only(cfg, 'out/x')
    assert cfg.test_evaluator == [dict(type='mmdet.CocoMetric', format_only=True, outfile_prefix='out/x')]
    with pytest.raises(ConfigError, match='which has VOCMetric'):
        testing_options.set_format_only(Config(dict(test_evaluator=dict(type='VOCMetric'))), 'x')


def test_tta():
    dataset = dict(dataset=dict(type='A', pipeline=[1], batch_shapes_cfg=dict(a=1)))
    cfg = Config(dict(model=dict(type='M'), test_dataloader=dict(dataset=dataset)))
    with pytest.raises(ConfigError, match='no tta_model and no tta_pipeline'):
        testing_options.enable_tta(cfg)
    cfg.merge_from_dict(dict(tta_model=dict(type='T'), tta_pipeline=[2]))
    testing_options.enable_tta(cfg)
    assert cfg.model == dict(type='T', module=dict(type='M'))
    assert cfg.test_dataloader.dataset.dataset == dict(type='A', pipeline=[2])
