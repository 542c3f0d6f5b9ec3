"""Exported models of a few bytes: three fixed boxes of one class, whose scores are the means of the channels.

The first two boxes overlap (IoU 0.78), so that NMS keeps the better one.
"""
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mmseam.inference.metadata import ModelMetadata

BOXES = np.array([[8, 8, 24, 24], [9, 9, 25, 25], [40, 30, 60, 50]], np.float32)
TEST_CFG = dict(multi_label=False, score_thr=0.1, nms_pre=100, nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)
METADATA = dict(
    classes=('face', ), strides=(8, 16, 32), mean=(0., 0., 0.), std=(255., 255., 255.), to_rgb=True,
    input_size=(64, 64), dynamic=False, has_nms=False, pad_value=114., allow_scale_up=True, test_cfg=TEST_CFG,
    config='tiny_face')


def metadata_texts(hostile=(), **changes) -> dict:
    """Texts of the metadata as they lie in a file; ``hostile`` are texts that mmseam would not write."""
    return {**ModelMetadata(**{**METADATA, **changes}).to_strings(), **dict(hostile)}


def image(*scores: float, size=(64, 64)) -> np.ndarray:
    """Make an image (3, H, W) that gets these three scores."""
    return np.broadcast_to(np.array(scores, np.float32)[:, None, None], (3, *size)).copy()


def write_onnx(path: Path, texts: dict = None, **changes) -> Path:
    """Write the model as ONNX; its sizes are free in the graph, whatever the metadata say."""
    from onnx import TensorProto, helper, numpy_helper, save
    nodes = [
        helper.make_node('ReduceMean', ['images'], ['means'], axes=[2, 3], keepdims=0),
        helper.make_node('Unsqueeze', ['means', 'last'], ['scores']),
        helper.make_node('Mul', ['scores', 'zero'], ['zeros']),
        helper.make_node('Add', ['zeros', 'constant'], ['boxes']),
    ]
    constants = dict(last=np.array([2], np.int64), zero=np.float32(0), constant=BOXES[None])
    graph = helper.make_graph(
        nodes, 'tiny', [helper.make_tensor_value_info('images', TensorProto.FLOAT, ['batch', 3, 'height', 'width'])],
        [helper.make_tensor_value_info('boxes', TensorProto.FLOAT, ['batch', 3, 4]),
         helper.make_tensor_value_info('scores', TensorProto.FLOAT, ['batch', 3, 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    return _save_onnx(save, helper, graph, path, metadata_texts(**changes) if texts is None else texts)


def write_onnx_of_pixels(path: Path, side: int) -> Path:
    """Write a model with NMS in its graph whose 16 boxes and scores follow the mean colors of a grid of the image."""
    from onnx import TensorProto, helper, numpy_helper, save
    nodes = [
        helper.make_node('AveragePool', ['images'], ['cells'], kernel_shape=[side // 4] * 2, strides=[side // 4] * 2),
        helper.make_node('Reshape', ['cells', 'shape'], ['colors']),
        helper.make_node('Transpose', ['colors'], ['rows'], perm=[1, 0]),
        helper.make_node('MatMul', ['rows', 'weight'], ['changes']),
        helper.make_node('Add', ['changes', 'start'], ['detections']),
        helper.make_node('Identity', ['ids'], ['image_ids']),
    ]
    weight = np.array([[9, 0, 0, 5, 0, 0], [0, 9, 0, 0, .6, 0], [0, 0, 9, 5, 0, 0]], np.float32)
    y, x = np.array(np.divmod(np.arange(16), 4)) * (side // 4)
    start = np.stack([x, y, x + side // 5, y + side // 5, np.full(16, .1), np.arange(16) % 3], 1).astype(np.float32)
    constants = dict(shape=np.array([3, 16]), weight=weight, start=start, ids=np.zeros(16, np.int64))
    graph = helper.make_graph(
        nodes, 'pixels', [helper.make_tensor_value_info('images', TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info('detections', TensorProto.FLOAT, [16, 6]),
         helper.make_tensor_value_info('image_ids', TensorProto.INT64, [16])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    texts = metadata_texts(input_size=(side, side), has_nms=True, classes=('a', 'b', 'c'))
    return _save_onnx(save, helper, graph, path, texts)


def write_onnx_with_nms(path: Path, detections: np.ndarray, image_ids: np.ndarray, **changes) -> Path:
    """Write a model with NMS in its graph, which finds the same in every batch; the scores are added to channel 0."""
    from onnx import TensorProto, helper, numpy_helper, save
    nodes = [
        helper.make_node('ReduceMean', ['images'], ['mean'], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node('Mul', ['mean', 'column'], ['added']),
        helper.make_node('Add', ['found', 'added'], ['detections']),
        helper.make_node('Identity', ['ids'], ['image_ids']),
    ]
    column = np.array([0, 0, 0, 0, 1, 0], np.float32)
    constants = dict(column=column, found=detections.astype(np.float32), ids=image_ids.astype(np.int64))
    graph = helper.make_graph(
        nodes, 'tiny', [helper.make_tensor_value_info('images', TensorProto.FLOAT, ['batch', 3, 'height', 'width'])],
        [helper.make_tensor_value_info('detections', TensorProto.FLOAT, ['K', 6]),
         helper.make_tensor_value_info('image_ids', TensorProto.INT64, ['K'])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    return _save_onnx(save, helper, graph, path, metadata_texts(has_nms=True, **changes))


def _save_onnx(save, helper, graph, path: Path, texts: dict) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    helper.set_model_props(model, texts)
    save(model, str(path))
    return path


class TinyDetector(nn.Module):
    """The same in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('constant', torch.from_numpy(BOXES)[None])

    def forward(self, images):
        scores = images.mean((2, 3)).unsqueeze(2)
        return self.constant + 0 * scores, scores


def write_torchscript(path: Path, **changes) -> Path:
    """Write the model as TorchScript."""
    traced = torch.jit.trace(TinyDetector(), torch.zeros(1, 3, 64, 64))
    traced.save(str(path), _extra_files=metadata_texts(**changes))
    return path


def write_pt2(path: Path, **changes) -> Path:
    """Write the model as a program of torch.export."""
    batch = torch.export.Dim('batch', min=1, max=1024)
    program = torch.export.export(TinyDetector(), (torch.zeros(2, 3, 64, 64), ), dynamic_shapes=({0: batch}, ))
    torch.export.save(program, str(path), extra_files=metadata_texts(**changes))
    return path


def write_openvino(path: Path, **changes) -> Path:
    """Write the model as OpenVINO's .xml and .bin."""
    import openvino
    model = openvino.convert_model(str(write_onnx(path.with_suffix('.onnx'))))
    for key, text in metadata_texts(**changes).items():
        model.set_rt_info(text, ['mmseam', key])
    openvino.save_model(model, str(path), compress_to_fp16=False)
    return path


WRITERS = {'.onnx': write_onnx, '.torchscript': write_torchscript, '.pt2': write_pt2, '.xml': write_openvino}
