"""Networks of mmseam for the benchmarks: random weights, seed 0."""
from pathlib import Path
from typing import Optional, Tuple

SIZES = ('n', 's', 'm', 'l', 'x')
NO_ATTENTION = 'no-attention'
# Part of the config's name by the head's attention; the last one is the published head without attention
HEADS = {'plain': '', 'seam': '_seam', 'multiseam': '_multiseam', NO_ATTENTION: '_multiseam'}
MIN_SETTLING_SIZE = 256  # pixels; on smaller images normalization layers would see only a few values


def config_name(size: str, head: str) -> str:
    """Return the name of the WIDER FACE config, which has one class."""
    return f'yolo11_{size}{HEADS[head]}_syncbn_fast_8xb16-250e_widerface'


def load_network_config(size: str, head: str):
    """Register all modules and load the config of a network."""
    from mmseam.utils import register_all_modules
    from mmseam.utils.config import load_config
    register_all_modules()
    return load_config(config_name(size, head))


def build_detector(size: str, head: str, imgsz: int, images: Optional[object] = None):
    """Build a detector with random weights.

    Args:
        size (str): One of ``SIZES``.
        head (str): One of ``HEADS``.
        imgsz (int): Side length of the images in pixels.
        images (Tensor, optional): Images to compute the normalization statistics from. Defaults to None: noise.

    Returns:
        nn.Module: The detector, in evaluation mode.
    """
    import torch
    from synthetic import settle

    from mmseam.registry import MODELS
    torch.manual_seed(0)
    detector = MODELS.build(load_network_config(size, head).model)
    detector.init_weights()
    if head == NO_ATTENTION:
        module = detector.bbox_head.head_module
        for branch in (*module.reg_preds, *module.cls_preds):
            branch[-2] = torch.nn.Identity()
    settle(detector, torch.randn(2, 3, *2 * [max(imgsz, MIN_SETTLING_SIZE)]) if images is None else images)
    return detector


def export_detector(detector, cfg, input_size: Tuple[int, int], dynamic: bool, path: str) -> None:
    """Switch a detector to its deploy form and write it to an ONNX file without NMS."""
    from mmseam.export.export_model import ExportModel
    from mmseam.export.exporters.onnx_exporter import export_onnx
    from mmseam.inference.metadata import ModelMetadata
    from mmseam.models.fused import switch_to_deploy
    metadata = ModelMetadata.from_config(cfg, input_size, dynamic)
    model = ExportModel(switch_to_deploy(detector), None if dynamic else metadata.input_size)
    export_onnx(model.eval(), metadata, Path(path))
