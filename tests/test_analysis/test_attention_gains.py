"""Gains of SEAM on covered and uncovered faces."""
import cv2
import numpy as np
import pytest
import torch
from coco_files import coco_box, write_coco
from torch import nn

from mmseam.analysis.attention_gains import draw_gains, measure_gains, plot_gains
from mmseam.analysis.face_pairs import face_pairs
from mmseam.datasets.occlusion import load_samples
from mmseam.inference.preprocessing import ImageBatch
from mmseam.models import SEAM, MultiSEAM
from mmseam.utils.config import load_config


class TwoLayers(nn.Module):
    """SEAM, then MultiSEAM, on the three channels of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = SEAM(3), MultiSEAM(3, patch_sizes=(3, ))

    def forward(self, x, mode):
        assert mode == 'tensor'
        return self.second(self.first(x))


def stack(images) -> ImageBatch:
    return ImageBatch(np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / 255, [])


@pytest.fixture(scope='module')
def samples(tmp_path_factory) -> list:
    folder = tmp_path_factory.mktemp('data')
    path = write_coco(folder, {'a.png': [coco_box((40, 20, 20, 20)), coco_box((80, 50, 10, 8))],
                               'b.png': [coco_box((10, 5, 30, 40)), coco_box((60, 20, 50, 50), ignore=1)]})
    return load_samples(path, folder / 'images')


def test_largest_faces_are_cut_out(samples):
    pairs = list(face_pairs(samples, 'lower', .5, 90, 2, 0))
    assert [pair.uncovered.shape for pair in pairs] == [(90, 90, 3), (90, 79, 3)]
    assert pairs[1].box == pytest.approx(np.array([10, 5, 40, 45]) * 90 / 80)
    uncovered, covered, box = pairs[0]
    assert box == pytest.approx([30, 30, 60, 60])
    image = cv2.imread(str(samples[0].path))[0:60, 20:80]
    assert np.array_equal(uncovered, cv2.resize(image, (90, 90), interpolation=cv2.INTER_CUBIC))
    changed = (uncovered != covered).any(2)
    assert changed[46:59, 31:59].all()
    assert not changed[:42].any()
    assert not changed[:, :27].any()


def test_gains_are_those_of_the_layers(samples):
    torch.manual_seed(0)
    model = TwoLayers().eval()
    layers = measure_gains(model, stack, samples, 'lower', .5, 60, 3)
    assert [layer.name for layer in layers] == ['first', 'second']
    assert [layer.covered.shape for layer in layers] == [(3, 3)] * 2
    with torch.no_grad():
        for index, pair in enumerate(face_pairs(samples, 'lower', .5, 60, 3, 0)):
            batch = torch.from_numpy(stack(pair[:2]).inputs)
            for layer, gains in zip(layers, (model.first.gain(batch), model.second.gain(model.first(batch)))):
                assert layer.uncovered[index] == pytest.approx(gains[0].numpy())
                assert layer.covered[index] == pytest.approx(gains[1].numpy())
    assert not model.first.gate._forward_hooks


def test_impossible_requests(samples):
    with pytest.raises(ValueError, match='the model has no SEAM or MultiSEAM layer'):
        measure_gains(nn.Conv2d(3, 3, 1), stack, samples)
    with pytest.raises(ValueError, match='there is no face in the data'):
        measure_gains(TwoLayers(), stack, [])


def test_plot(samples, tmp_path):
    plot_gains(measure_gains(TwoLayers().eval(), stack, samples, size=60), tmp_path / 'gains.png', 'covered')
    picture = cv2.imread(str(tmp_path / 'gains.png'))
    for color in ((178, 114, 0), (0, 94, 213)):
        assert (picture == color).all(2).any()


def test_trained_detector(samples, tmp_path):
    from mmengine.registry import DefaultScope

    from mmseam.registry import MODELS
    name = 'yolo11_n_seam_syncbn_fast_8xb16-250e_widerface'
    with DefaultScope.overwrite_default_scope('mmyolo'):
        model = MODELS.build(load_config(name).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    text = draw_gains(name, str(tmp_path / 'model.pth'), samples, tmp_path / 'out', max_faces=2, size=64)
    assert len(text.splitlines()) == 6  # box and class branches of three levels
    with np.load(tmp_path / 'out' / 'gains.npz') as arrays:
        assert len(arrays) == 12
        assert all(1 <= gains.min() <= gains.max() <= np.e for gains in arrays.values())
        assert {len(gains) for gains in arrays.values()} == {2}
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'gains.png', 'gains.pdf', 'gains.npz'}
