"""Every config below configs/: its name, its parts, and the model it describes."""
import copy
import functools
import re

import pytest
import torch
from config_files import CONFIGS, LEAVES, ROOT, build_model, count_parameters, forward_flops, metadata_of, size_of
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmengine.runner import set_random_seed

from mmseam.models import SEAM, MultiSEAM
from mmseam.registry import DATASETS, METRICS

HEIGHT, WIDTH = 160, 192
BOXES = [[10., 20., 60., 90.], [30., 10., 180., 150.], [100., 100., 116., 112.]]


def walk(paths):
    return pytest.mark.parametrize('path', list(paths), ids=lambda path: path.stem)


every_config = walk(LEAVES)
small_config = walk(path for path in LEAVES if size_of(path) in 'nsm')
coco_config = walk(path for path in LEAVES if path.stem.endswith('_coco'))
attention_config = walk(path for path in LEAVES if re.match(r'yolo11_n_.*seam.*_widerface', path.stem))


@functools.cache
def _parse(path):
    return Config.fromfile(path)


def read(path):
    return copy.deepcopy(_parse(path))


def transforms(pipeline):
    return [step['type'] for step in pipeline]


def batch(model, size=1, num_classes=1):
    """Make a preprocessed batch in the form of ``yolo_collate``."""
    images = torch.randint(0, 256, (size, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    rows = [[index, label % num_classes, *box] for index in range(size) for label, box in enumerate(BOXES)]
    data = dict(inputs=images, data_samples=dict(bboxes_labels=torch.tensor(rows)))
    return model.data_preprocessor(data, training=True)


def loss(model, data):
    """Sum of the losses, each of which must be finite."""
    losses = model(**data, mode='loss')
    assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_dfl'}
    assert all(torch.isfinite(value).all() and value >= 0 for value in losses.values())
    return sum(losses.values())


def predict(model):
    """Prediction for a random image through the model's own test step."""
    sample = DetDataSample(metainfo=dict(
        ori_shape=(HEIGHT, WIDTH), img_shape=(HEIGHT, WIDTH), scale_factor=(1., 1.), pad_param=[0., 0., 0., 0.]))
    image = torch.randint(0, 256, (3, HEIGHT, WIDTH), dtype=torch.uint8)
    return model.test_step(dict(inputs=[image], data_samples=[sample]))[0].pred_instances


def raise_first_class(model):
    """Make class 0 score about 0.5 everywhere, so that an untrained network finds something."""
    for branch in model.bbox_head.head_module.cls_preds:
        torch.nn.init.zeros_(branch[-1].bias[:1])


def test_there_are_configs():
    assert len(LEAVES) >= 38
    assert {size_of(path) for path in LEAVES} == set('nsmlx')


@every_config
def test_name(path):
    """What `mim train` and mmengine need: one level deep, plain folder, lower case, unique in package and tools."""
    assert re.fullmatch(r'\w+', path.parent.name) and path.parent.parent == CONFIGS
    assert path.stem == path.stem.lower()
    others = [p for top in ('configs', 'tools', 'mmseam') for p in (ROOT / top).rglob(path.name)]
    assert [p.resolve() for p in others] == [path]


@every_config
def test_is_short_and_says_only_what_differs(path):
    assert len(path.read_text(encoding='utf-8').splitlines()) <= 15


@every_config
def test_name_tells_batch_and_epochs(path):
    cfg = read(path)
    if path.parent.name == 'faces' and 'xb' not in path.stem:
        pytest.skip('the detector in the box is named as people type it')
    gpus, images, epochs = map(int, re.search(r'_(\d+)xb(\d+)-(\d+)e_', path.stem).groups())
    assert cfg.train_dataloader.batch_size == images
    assert cfg.train_cfg.max_epochs == epochs
    # The images of an optimizer step: batches are accumulated to 64 where the schedule is YOLO11's
    accumulated = cfg.default_hooks.param_scheduler.get('nominal_batch_size', 0)
    assert cfg.auto_scale_lr.base_batch_size == max(gpus * images, accumulated) and not cfg.auto_scale_lr.enable


@every_config
def test_number_of_classes_agrees(path):
    cfg = read(path)
    head, assigner = cfg.model.bbox_head.head_module.num_classes, cfg.model.train_cfg.assigner.num_classes
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            dataset = DATASETS.build(dict(loader.dataset, lazy_init=True))
            assert head == assigner == len(dataset.metainfo['classes'])


@every_config
def test_pipelines_and_evaluators_build(path):
    cfg = read(path)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            assert len(Compose(loader.dataset.pipeline).transforms) == len(loader.dataset.pipeline)
        for evaluators in (cfg.val_evaluator, cfg.test_evaluator):
            for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
                # The annotation file of COCO is not here; the other arguments are checked.
                assert METRICS.build({**evaluator, 'ann_file': None} if 'ann_file' in evaluator else evaluator)


@every_config
def test_second_training_pipeline_is_without_mosaic(path):
    cfg = read(path)
    mosaics = {'Mosaic', 'mmseam.MosaicAffine'}
    mixing = {*mosaics, 'YOLOv5MixUp', 'mmseam.CopyPasteOutlines'}
    if not any(hook.type == 'mmseam.CloseMosaicHook' for hook in cfg.custom_hooks):
        assert not mixing & set(transforms(cfg.train_dataloader.dataset.pipeline))
        return
    assert mosaics & set(transforms(cfg.train_dataloader.dataset.pipeline))
    assert not mixing & set(transforms(cfg.train_pipeline_stage2))
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        Compose(cfg.train_pipeline_stage2)


@coco_config
def test_augmentation_is_that_of_the_size(path):
    cfg = read(path)
    assert cfg.train_dataloader.dataset.pipeline == cfg.train_pipelines[size_of(path)]
    assert cfg.train_pipeline_stage2 == cfg.train_pipelines_stage2[size_of(path)]


@small_config
def test_learns_and_predicts(path):
    set_random_seed(0)
    cfg = read(path)
    model = build_model(cfg)
    model.init_weights()

    loss(model.train(), batch(model, 1, model.bbox_head.num_classes)).backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not without, 'no gradient reaches these parameters'
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)

    raise_first_class(model)
    found = predict(model.eval())
    assert 0 < len(found) <= cfg.model.test_cfg.max_per_img
    assert (found.scores > cfg.model.test_cfg.score_thr).all() and (found.scores <= 1).all()
    assert (found.labels >= 0).all() and (found.labels < model.bbox_head.num_classes).all()
    limits = torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
    assert (found.bboxes >= 0).all() and (found.bboxes <= limits).all()


@every_config
def test_builds_with_the_figures_of_its_metafile(path):
    """On the meta device, where no size needs memory or time."""
    model = build_model(read(path), 'meta').eval()
    metadata = metadata_of(path)['Metadata']
    assert count_parameters(model) == metadata['Parameters']
    assert forward_flops(model, torch.zeros(1, 3, 640, 640, device='meta')) == metadata['FLOPs']


@attention_config
def test_every_attention_parameter_learns(path):
    """After one step, so that an attention that starts as the identity has left it."""
    set_random_seed(0)
    model = build_model(read(path))
    model.init_weights()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    data = batch(model.train(), size=2)
    for _ in range(2):
        optimizer.zero_grad()
        loss(model, data).backward()
        optimizer.step()
    layers = {name: m for name, m in model.named_modules() if isinstance(m, (SEAM, MultiSEAM))}
    assert layers
    # At the start, faces this small are matched on the finest levels only, so that the box branches of the others
    # have nothing to learn from.
    learning = {name: m for name, m in layers.items() if 'reg_preds' not in name}
    still = [f'{name}.{key}' for name, m in learning.items() for key, p in m.named_parameters() if not p.grad.any()]
    assert learning and not still
