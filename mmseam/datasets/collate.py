"""Collate function for configs that are inherited from mmseam."""
from typing import Optional, Sequence

from mmyolo.datasets.utils import yolov5_collate

from mmseam.registry import FUNCTIONS


@FUNCTIONS.register_module()
def yolo_collate(data_batch: Sequence[dict], use_ms_training: bool = False, _scope_: Optional[str] = None) -> dict:
    """MMYOLO's ``yolov5_collate``, usable in a config that others inherit by ``_base_ = 'mmseam::…'``.

    MMEngine stamps ``_scope_`` on every dict with a ``type`` in such a config, and passes all keys of ``collate_fn``
    to the function; MMYOLO's own does not take this one.

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
