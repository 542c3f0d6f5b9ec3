"""Add non-maximum suppression to an ONNX graph."""
from typing import Any, Mapping

from mmseam.utils.optional_package import require_package

_GRAPH = """
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
nms (float[images, anchors, 4] all_boxes, float[images, anchors, classes] all_scores)
=> (float[found, 6] detections, int64[found] image_ids)
{{
    zero = Constant <value_int = 0> ()
    one = Constant <value_int = 1> ()
    axis = Constant <value_ints = [1]> ()
    limit = Constant <value_ints = [{max_per_img}]> ()
    iou_threshold = Constant <value_floats = [{iou_threshold}]> ()
    score_threshold = Constant <value_floats = [{score_thr}]> ()
    image_and_anchor = Constant <value_ints = [0, 2]> ()
    {candidates}
    class_scores = Transpose <perm = [0, 2, 1]> (candidates)
    selected = NonMaxSuppression (all_boxes, class_scores, limit, iou_threshold, score_threshold)
    unsorted = GatherND (class_scores, selected)
    number = Shape (unsorted)
    sorted, order = TopK (unsorted, number)
    indices = Gather (selected, order)
    images = Gather <axis = 1> (indices, zero)
    batch = Shape <start = 0, end = 1> (all_scores)
    batch_size = Squeeze (batch)
    every_image = Range (zero, batch_size, one)
    column = Unsqueeze (images, axis)
    is_of_image = Equal (column, every_image)
    counted = Cast <to = 7> (is_of_image)
    counts = CumSum (counted, zero)
    counts_of_image = Mul (counts, counted)
    ranks = ReduceSum <keepdims = 0> (counts_of_image, axis)
    is_kept = LessOrEqual (ranks, limit)
    kept = Compress <axis = 0> (indices, is_kept)
    image_ids = Gather <axis = 1> (kept, zero)
    labels = Gather <axis = 1> (kept, one)
    label = Cast <to = 1> (labels)
    label_column = Unsqueeze (label, axis)
    score = GatherND (class_scores, kept)
    score_column = Unsqueeze (score, axis)
    box_indices = Gather <axis = 1> (kept, image_and_anchor)
    box = GatherND (all_boxes, box_indices)
    detections = Concat <axis = 1> (box, score_column, label_column)
}}
"""
_EVERY_CLASS = 'candidates = Identity (all_scores)'
# Zeroes all scores but that of the best class
_BEST_CLASS = """best = ArgMax <axis = 2, keepdims = 1> (all_scores)
    class_count = Shape <start = 2, end = 3> (all_scores)
    class_number = Squeeze (class_count)
    every_class = Range (zero, class_number, one)
    is_best = Equal (best, every_class)
    no_score = Constant <value_float = 0.0> ()
    candidates = Where (is_best, all_scores, no_score)"""


def append_nms(model, test_cfg: Mapping[str, Any]):
    """Replace the outputs ``boxes`` and ``scores`` by the final detections.

    The new outputs are ``detections`` (K, 6), rows x1, y1, x2, y2, score, label, sorted by descending score, and
    ``image_ids`` (K,), their image indices in the batch. Score threshold, class-wise NMS and ``max_per_img`` work as in
    MMYOLO's ``predict_by_feat``; ``nms_pre`` is not applied.

    Args:
        model (onnx.ModelProto): The model.
        test_cfg (Mapping[str, Any]): ``test_cfg`` of the detector.

    Returns:
        onnx.ModelProto: The model with NMS.

    Raises:
        ValueError: ``test_cfg.nms`` is not plain ``nms`` with an ``iou_threshold``.
    """
    onnx = require_package('onnx')
    nms = dict(test_cfg.get('nms') or {})
    if nms.pop('type', 'nms') != 'nms' or set(nms) - {'iou_threshold'}:
        raise ValueError("NMS in the graph supports only test_cfg.nms = dict(type='nms', iou_threshold=…); the config "
                         f'has {test_cfg["nms"]}; export without NMS')
    text = _GRAPH.format(
        ir_version=model.ir_version, opset=model.opset_import[0].version, max_per_img=test_cfg['max_per_img'],
        iou_threshold=float(nms['iou_threshold']), score_thr=float(max(test_cfg.get('score_thr', 0), 0)),
        candidates=_EVERY_CLASS if test_cfg.get('multi_label', True) else _BEST_CLASS)
    nms_model = onnx.compose.add_prefix(
        onnx.parser.parse_model(text), 'nms/', rename_inputs=False, rename_outputs=False)
    merged = onnx.compose.merge_models(
        model, nms_model, io_map=[('boxes', 'all_boxes'), ('scores', 'all_scores')])
    del merged.opset_import[1:]  # a duplicate, which onnxruntime's quantization rejects
    return merged
