"""Settings of shipped configs in child configs and on the command line."""
import pytest
from config_files import CONFIGS, LEAVES, size_of
from mmengine.config import Config

from mmseam.utils.config import ConfigError, load_config
from mmseam.utils.config_settings import find_ignored_settings, find_settings

FACES = 'multiseam/yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface.py'
COCO = 'yolo11/yolo11_s_syncbn_fast_8xb16-500e_coco.py'
CUSTOM = ['yolo11/yolo11_n_fast_1xb16-100e_custom-coco.py',
          'multiseam/yolo11_n_multiseam_fast_1xb16-100e_custom-faces.py']
CHILD = """
_base_ = '{base}'
data_root = '/data/pets'
classes = ('cat', 'dog', 'bird')
train_ann_file = 'a.json'
val_ann_file = 'b.json'
img_scale = (320, 320)
"""
# A config as written by hand for another size: every step that has a size is written again
HAND_WRITTEN = """
_base_ = 'mmseam::{base}'
img_size = (320, 320)
train_pipeline = _base_.train_pipeline
train_pipeline[0].reduce_to = 320
train_pipeline[2].img_scale = img_size
train_pipeline[2].pre_transform[0].reduce_to = 320
train_pipeline_stage2 = _base_.train_pipeline_stage2
train_pipeline_stage2[0].reduce_to = 320
train_pipeline_stage2[2].scale = train_pipeline_stage2[3].scale = img_size
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = test_pipeline[2].scale = img_size
tta_pipeline = _base_.tta_pipeline
for resize, side in zip(tta_pipeline[1].transforms[1], (320, 480, 640)):
    resize.transforms[0].scale = resize.transforms[1].scale = (side, side)
del resize, side
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
"""


@pytest.fixture()
def write(tmp_path):
    def write_config(text, name='child.py'):
        (tmp_path / name).write_text(text)
        return tmp_path / name
    return write_config


def without_settings(cfg):
    """Return the parts that a training or test is built from."""
    return {key: cfg[key] for key in cfg if key.endswith(('loader', 'evaluator', 'cfg', 'model', 'hooks', 'stage2'))
            or key.startswith('tta_p')}


@pytest.mark.parametrize('path', [path for path in LEAVES if size_of(path) == 'n'], ids=lambda path: path.stem)
def test_settings_at_their_own_values_change_nothing(path, write):
    """The shipped files, evaluated again, describe the same training.

    The toy faces keep the pipelines of 640 pixels that they do not use, unless a child sets their size.
    """
    plain = Config.fromfile(path)
    left_out = {'tta_scales', *(['img_scale'] if path.stem.endswith('toyfaces') else [])}
    names = [name for name in find_settings(path) if name not in left_out]
    text = ''.join(f'{name} = {plain[name]!r}\n' for name in names)
    cfg = load_config(write(f"_base_ = '{path}'\n{text}"))
    assert without_settings(cfg) == without_settings(plain)


def test_image_size_is_that_of_a_config_written_by_hand(write):
    by_hand = load_config(write(HAND_WRITTEN.format(base=FACES), 'hand.py'))
    in_child = load_config(write(f"_base_ = 'mmseam::{FACES}'\nimg_scale = (320, 320)\n"))
    from_command_line = load_config(CONFIGS / FACES, ['img_scale=320,320'])
    for cfg in (in_child, from_command_line):
        plain = [without_settings(config) for config in (cfg, by_hand)]
        assert strip(plain[0]) == strip(plain[1])
    assert [step.transforms[0].scale for step in in_child.tta_pipeline[1].transforms[1]] == [
        (320, 320), (480, 480), (640, 640)]


def strip(value):
    """Remove the scope that MMEngine stamps on parts inherited by name."""
    if isinstance(value, dict):
        return {key: strip(item) for key, item in value.items() if key != '_scope_'}
    return [strip(item) for item in value] if isinstance(value, (list, tuple)) else value


def test_image_size_changes_all_augmentations_of_coco():
    cfg = load_config(CONFIGS / COCO, ['img_scale=320,320', 'tta_scales=[[320,320]]'])
    assert '640' not in cfg.pretty_text and cfg.pretty_text.count('320') > 20
    assert cfg.train_dataloader.dataset.pipeline[4].border == (-160, -160)


@pytest.mark.parametrize('base', [*CUSTOM, COCO])
def test_five_values_are_enough(base, write):
    cfg = load_config(write(CHILD.format(base=f'mmseam::{base}')))
    for name, file in (('train', 'a.json'), ('val', 'b.json'), ('test', 'b.json')):
        dataset = cfg[f'{name}_dataloader'].dataset
        assert dataset.metainfo.classes == ('cat', 'dog', 'bird')
        assert (dataset.type, dataset.data_root, dataset.ann_file) == ('mmseam.YOLOCocoDataset', '/data/pets', file)
    assert cfg.val_evaluator.ann_file == cfg.test_evaluator.ann_file == '/data/pets/b.json'
    assert cfg.model.bbox_head.head_module.num_classes == cfg.model.train_cfg.assigner.num_classes == 3
    assert cfg.test_dataloader.dataset.pipeline[1].scale == (320, 320)


def test_ground_truth_and_epochs_can_be_set(write):
    cfg = load_config(write(f"_base_ = 'mmseam::{FACES}'\ngt_dir = 'gt'\nmax_epochs = 3\nnum_classes = 1\n"))
    assert cfg.val_evaluator[0].gt_dir == cfg.test_evaluator[0].gt_dir == 'gt'
    assert cfg.train_cfg.max_epochs == 3


def test_the_command_line_wins_over_the_child_and_the_child_over_its_own_base(write):
    write(f"_base_ = 'mmseam::{FACES}'\nimg_scale = (320, 320)\nside = img_scale\nmax_epochs = 3", 'middle.py')
    leaf = write("_base_ = './middle.py'\nimg_scale = (416, 416)\nwork_dir = '{{ fileBasenameNoExtension }}_runs'")
    cfg = load_config(leaf)
    assert cfg.test_pipeline[1].scale == (416, 416) and cfg.train_cfg.max_epochs == 3
    assert (cfg.filename, cfg.work_dir, cfg.side) == (str(leaf), 'child_runs', (320, 320))
    assert load_config(leaf, ['img_scale=(64, 64)', 'max_epochs=9']).test_pipeline[1].scale == (64, 64)


def test_other_overrides_still_win_over_what_follows_from_a_setting():
    cfg = load_config(CONFIGS / FACES, ['max_epochs=3', 'train_cfg.max_epochs=5'])
    assert (cfg.max_epochs, cfg.train_cfg.max_epochs) == (3, 5)


@pytest.mark.parametrize('setting, message', [
    ("classes = ('face')", r"classes must be a tuple such as \('object', \), not 'face'; for a single one write "
                           r"\('face', \), with the comma"),
    ('img_scale = 320', r'img_scale must be a tuple such as \(640, 640\), not 320'),
    ('img_scale = (320, )', 'img_scale must be a tuple'),
    ("max_epochs = 'ten'", "max_epochs must be a whole number such as 100, not 'ten'"),
    ('auto_optimizer = 1', 'auto_optimizer must be True or False, not 1'),
    ('data_root = None', 'data_root must be a string'),
])
def test_wrong_types_are_named(write, setting, message):
    with pytest.raises(ConfigError, match=f'child.py: {message}'.replace("'object', ", "'object',")):
        load_config(write(f"_base_ = 'mmseam::{CUSTOM[0]}'\n{setting}\n"))


def test_settings_that_fromfile_ignores_are_found(write):
    child = write(f"_base_ = 'mmseam::{FACES}'\nimg_scale = (320, 320)\nmine = 3\n")
    assert find_ignored_settings(Config.fromfile(child)) == ['img_scale']
    assert find_ignored_settings(load_config(child)) == []
    assert find_ignored_settings(load_config(child, ['img_scale=96,96'])) == []
    assert find_ignored_settings(Config.fromfile(write(HAND_WRITTEN.format(base=FACES)))) == []
    assert find_ignored_settings(Config(dict(a=1))) == []


def test_configs_of_others_are_loaded_as_mmengine_does(write):
    write('side = 4\nbox = dict(side=side)\n', 'base.py')
    assert load_config(write("_base_ = './base.py'\nside = 5\n")).box.side == 4
