"""An exported file gives, through the host's detector interface, what the head gives for the same boxes and scores."""
import numpy as np
import pytest
import torch
from exported_models import BOXES, TEST_CFG, image, write_onnx, write_onnx_with_nms
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmyolo.models.dense_heads import YOLOv8Head

from mmseam.inference.backends import ExportedModelError
from mmseam.inference.exported_detector import ExportedDetector
from mmseam.registry import MODELS
from mmseam.utils import register_all_modules

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

SCORES = [[.875, .75, .25], [.5, .625, .0625]]
# A letterbox: 100×50 pixels shrunk by .5 to 50×25, padded with 19 or 20 above and below and 7 at the sides
META = dict(ori_shape=(50, 100), scale_factor=(.5, .5), pad_param=np.array([19, 20, 7, 7], np.float32))


@pytest.fixture(scope='module', autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmyolo'):
        yield


@pytest.fixture(scope='module')
def file(tmp_path_factory):
    return str(write_onnx(tmp_path_factory.mktemp('models') / 'tiny.onnx'))


def build(file, **kwargs):
    return MODELS.build(ConfigDict(type='mmseam.ExportedDetector', file=str(file), **kwargs))


def samples(*metas):
    return [DetDataSample(metainfo=meta) for meta in metas]


@pytest.fixture(scope='module')
def inputs():
    return torch.from_numpy(np.stack([image(*scores) for scores in SCORES]))


def predict_by_host(boxes, scores, metas):
    """Run mmyolo's head on boxes and scores: box i comes from position (i, 0) of a map one row high."""
    module = dict(type='YOLOv8HeadModule', num_classes=1, in_channels=[16], featmap_strides=[1])
    points = dict(type='mmdet.MlvlPointGenerator', offset=0, strides=[1])
    head = YOLOv8Head(module, prior_generator=points, test_cfg=ConfigDict(TEST_CFG))
    positions = torch.stack([torch.arange(boxes.shape[1]), torch.zeros(boxes.shape[1])], 1)
    distances = torch.cat([positions - boxes[..., :2], boxes[..., 2:] - positions], 2)
    maps = [[rows.transpose(1, 2)[:, :, None]] for rows in (torch.logit(scores), distances)]
    return head.predict_by_feat(*maps, batch_img_metas=metas)


def test_detections_are_those_of_the_host_head(file, inputs):
    metas = [META, dict(ori_shape=(45, 90), scale_factor=(.6, .5))]
    found = build(file, test_cfg=TEST_CFG).predict(inputs, samples(*metas))
    boxes = torch.from_numpy(np.stack([BOXES, BOXES]))
    expected = predict_by_host(boxes, torch.tensor(SCORES)[..., None], metas)
    assert [len(sample.pred_instances) for sample in found] == [2, 1]
    for sample, reference in zip(found, expected):
        instances = sample.pred_instances
        torch.testing.assert_close(instances.bboxes, reference.bboxes)
        torch.testing.assert_close(instances.scores, reference.scores)
        assert torch.equal(instances.labels, reference.labels)


def test_boxes_are_cut_at_the_borders_of_the_original_image(file, inputs):
    sample, = build(file).predict(inputs[:1], samples(META))
    # The first box lies in the padding above: y from (8 - 19) / .5
    assert sample.pred_instances.bboxes.tolist() == [[2, 0, 34, 10], [66, 22, 100, 50]]


def test_settings_are_those_of_the_file_unless_others_are_given(file, inputs):
    assert len(build(file).predict(inputs[:1], samples(META))[0].pred_instances) == 2
    strict = build(file, test_cfg=dict(TEST_CFG, score_thr=.5))
    assert len(strict.predict(inputs[:1], samples(META))[0].pred_instances) == 1


def test_step_normalizes_by_the_file_or_by_the_given_preprocessor(file):
    pixels = torch.tensor([223, 191, 31], dtype=torch.uint8)[:, None, None].expand(3, 64, 64)
    given = dict(type='mmdet.DetDataPreprocessor', mean=[0., 0., 0.], std=[510., 510., 510.], bgr_to_rgb=False)
    best = []
    for model in (build(file), build(file, data_preprocessor=given)):
        result, = model.test_step(dict(inputs=[pixels], data_samples=samples(META)))
        best.append(result.pred_instances.scores.tolist())
    # By the file's metadata the channels are swapped: 31 is the score of the first box, under the second's
    assert best[0] == pytest.approx([223 / 255, 191 / 255], abs=1e-4)
    assert best[1] == pytest.approx([223 / 510], abs=1e-4)


def test_a_file_with_nms(tmp_path):
    rows = np.array([[8, 24, 24, 34, .5, 0], [17, 20, 27, 30, .25, 0]])
    model = build(write_onnx_with_nms(tmp_path / 'nms.onnx', rows, np.zeros(2)), test_cfg=ConfigDict(TEST_CFG))
    result, = model.predict(torch.zeros(1, 3, 64, 64), samples(META))
    assert result.pred_instances.bboxes.tolist() == [[2, 10, 34, 30], [20, 2, 40, 22]]
    assert result.pred_instances.scores.tolist() == [.5, .25]
    assert result.pred_instances.labels.dtype == torch.int64


def test_tensor_mode_gives_the_outputs_of_the_network(file, inputs):
    boxes, scores = build(file)(inputs, mode='tensor')
    assert torch.equal(boxes[1], torch.from_numpy(BOXES))
    assert scores[..., 0].tolist() == SCORES


def test_it_has_no_weights_and_cannot_be_trained(file, inputs):
    model = build(file)
    assert isinstance(model, ExportedDetector)
    assert not model.state_dict()
    with pytest.raises(NotImplementedError, match='tiny.onnx is an exported model and cannot be trained'):
        model(inputs, samples(META, META), mode='loss')


def test_images_of_another_size_are_refused(file):
    with pytest.raises(ExportedModelError, match='64 pixels high and 64 wide, got 32 and 64'):
        build(file).predict(torch.zeros(1, 3, 32, 64), samples(META))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_it_follows_its_inputs_to_the_gpu(tmp_path):
    from exported_models import WRITERS
    model = build(WRITERS['.torchscript'](tmp_path / 'tiny.torchscript')).cuda()
    result, = model.predict(torch.from_numpy(image(*SCORES[0]))[None].cuda(), samples(META))
    assert model.backend.device == 'cuda:0'
    assert result.pred_instances.bboxes.is_cuda
    assert len(result.pred_instances) == 2
