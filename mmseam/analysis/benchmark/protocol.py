"""Describe the protocol of a test: metrics, postprocessing settings and input sizes."""
from collections import Counter
from typing import List

from mmengine.config import Config, ConfigDict

from mmseam.utils.config import innermost_dataset, to_plain

_SETTINGS = ('score_thr', 'nms', 'nms_pre', 'max_per_img', 'multi_label')


def protocol(cfg: Config, input_shapes: Counter) -> dict:
    """Describe the settings of a test that affect its results.

    Args:
        cfg (Config): Config of the test.
        input_shapes (Counter): Number of images per network input shape (height, width).

    Returns:
        dict: ``metrics``, the postprocessing settings, ``resize``, ``input_shapes``, and a summary as ``text``.
    """
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    metrics = [_metric(evaluator) for evaluator in evaluators]
    test_cfg = cfg.model.get('test_cfg') or {}
    test_cfg = test_cfg.get('rcnn', test_cfg)
    settings = {key: to_plain(test_cfg[key]) for key in _SETTINGS if key in test_cfg}
    resize = _resize(innermost_dataset(cfg.test_dataloader.dataset).pipeline)
    shapes = [f'{height}x{width}' for (height, width), _ in input_shapes.most_common(3)]
    more = f' and {len(input_shapes) - 3} more sizes' if len(input_shapes) > 3 else ''
    text = '; '.join([
        ' and '.join(metrics), *(f'{key} {_format(value)}' for key, value in settings.items()),
        f'network input (height x width) {", ".join(shapes)}{more}', 'resize: ' + (', '.join(resize) or 'none'),
        f'evaluated in batches of {cfg.test_dataloader.batch_size}'])
    return dict(metrics=metrics, **settings, resize=resize, input_shapes=shapes, text=text)


def _metric(evaluator: ConfigDict) -> str:
    """Describe a metric by its type and the settings that affect its values."""
    kind = evaluator.type if isinstance(evaluator.type, str) else evaluator.type.__name__
    shown = {key: value for key, value in evaluator.items()
             if key in ('metric', 'iou_thrs', 'iou_threshold', 'proposal_nums', 'eval_mode')}
    if kind.endswith('CocoMetric'):
        shown.setdefault('iou_thrs', '0.50:0.05:0.95')
    return f'{kind} ({", ".join(f"{key} {value}" for key, value in shown.items())})' if shown else kind


def _resize(pipeline: List[ConfigDict]) -> List[str]:
    """Describe the transforms that change the image size."""
    resizing = [transform for transform in pipeline
                if 'Resize' in str(transform.type) or str(transform.type).endswith('Pad')]
    settings = [', '.join(f'{key}={value}' for key, value in to_plain(transform).items() if key != 'type')
                for transform in resizing]
    return [f'{transform.type}({text})' for transform, text in zip(resizing, settings)]


def _format(value) -> str:
    return ' '.join(f'{key} {item}' for key, item in value.items()) if isinstance(value, dict) else str(value)
