"""Collate function that works in configs inherited from mmseam."""
from typing import Optional, Sequence

from mmyolo.datasets.utils import yolov5_collate

from mmseam.registry import FUNCTIONS


@FUNCTIONS.register_module()
def yolo_collate(data_batch: Sequence[dict], use_ms_training: bool = False, _scope_: Optional[str] = None) -> dict:
    """Collate samples with MMYOLO's ``yolov5_collate``, also in configs inherited with ``_base_ = 'mmseam::…'``.

    In such a config, MMEngine adds the key ``_scope_`` to every dict that has a ``type`` and passes all keys of
    ``collate_fn`` to the function. MMYOLO's function does not accept ``_scope_``.

    Args:
        data_batch (Sequence[dict]): Samples as packed by ``PackDetInputs``.
        use_ms_training (bool): Whether images differ in size (multi-scale training), so that they are returned as a
            list. Defaults to False.
        _scope_ (str, optional): Ignored. Defaults to None.

    Returns:
        dict: ``inputs``, tensor of shape (B, 3, H, W) or list of B tensors, and ``data_samples`` with
        ``bboxes_labels`` of shape (F, 6): index in the batch, label, x1, y1, x2, y2.
    """
    return yolov5_collate(data_batch, use_ms_training=use_ms_training)
