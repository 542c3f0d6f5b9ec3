"""The configs in docs/yolo_facev2_parts.md: each builds, has the parameters that the page says, and trains."""
import re

import pytest
import torch
from config_files import ROOT, build_model, count_parameters
from mmengine.config import Config
from mmengine.runner import set_random_seed

PAGE = (ROOT / 'docs' / 'yolo_facev2_parts.md').read_text(encoding='utf-8')
#: The block of each section, by its title.
BLOCKS = {
    section.split('\n', 1)[0]: re.search(r'```python\n(.*?)```', section, flags=re.S)[1]
    for section in PAGE.split('\n## ')[1:]
}
BOXES = [[10., 20., 60., 90.], [30., 10., 120., 85.], [100., 60., 104., 65.]]
HEIGHT, WIDTH = 96, 128


def read(title, folder):
    path = folder / 'config.py'
    path.write_text(BLOCKS[title], encoding='utf-8')
    return Config.fromfile(path)


def batch(model):
    """Two images, the second without a face."""
    images = torch.randint(0, 256, (2, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    rows = torch.tensor([[0, 0, *box] for box in BOXES])
    return model.data_preprocessor(dict(inputs=images, data_samples=dict(bboxes_labels=rows)), training=True)


def test_every_section_has_a_config():
    assert list(BLOCKS) == ['NWD loss', 'Slide weights', 'Repulsion loss', 'RFE', 'P2 level', 'SE, ECA and CBAM',
                            'All at once']


@pytest.mark.parametrize('title', BLOCKS)
def test_config_trains(title, tmp_path):
    set_random_seed(0)
    model = build_model(read(title, tmp_path)).train()
    model.init_weights()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    data = batch(model)
    for _ in range(2):  # a layer that starts as the identity has left it at the second step
        optimizer.zero_grad()
        losses = model(**data, mode='loss')
        assert all(torch.isfinite(value) and value > 0 for value in losses.values()), losses
        sum(losses.values()).backward()
        optimizer.step()
    repulsion = {'loss_rep_gt', 'loss_rep_box'}
    assert set(losses) >= {'loss_cls', 'loss_bbox', 'loss_dfl'} and (repulsion <= set(losses)) == (
        'RepulsionLoss' in BLOCKS[title])
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    # The box branch of a level learns only if a face is matched there.
    learning = {name: p for name, p in model.named_parameters() if 'reg_preds' not in name}
    assert not [name for name, p in learning.items() if not p.grad.any()]


def parameters(cfg):
    return count_parameters(build_model(cfg, 'meta'))


def in_neck(cfg, attention):
    cfg.model.neck[1].attention_cfg = dict(type=attention)
    return cfg


def test_parameters_on_the_page(tmp_path):
    plain = parameters(Config.fromfile(ROOT / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'))
    p2 = Config.fromfile(ROOT / 'configs/yolo11/yolo11_n_p2_syncbn_fast_8xb16-250e_widerface.py')
    added = {title: parameters(read(title, tmp_path)) - plain for title in list(BLOCKS)[:4]}
    others = [parameters(in_neck(read('RFE', tmp_path), name)) - plain for name in ('mmseam.SE', 'mmseam.ECA', 'CBAM')]
    rows = dict(re.findall(r'^\| \[([^\]]+)\].*?\| (\+[^|]+) \|', PAGE, flags=re.M))
    assert rows == {
        'NWD': f'+{added["NWD loss"]}', 'Slide': f'+{added["Slide weights"]}',
        'repulsion': f'+{added["Repulsion loss"]}', 'RFE': f'+{added["RFE"]:,} (neck)',
        'P2': f'+{parameters(p2) - plain:,}',
        'SE, ECA, CBAM': ', '.join(f'+{number:,}' for number in others) + ' (neck)'}
    assert f'{parameters(p2):,} parameters' in PAGE.replace('\n', ' ')
    assert f'{p2.model.bbox_head.head_module.in_channels[0] // 4} channels in n' in PAGE
