"""Models outside of this repository: export, the exported files' metadata, quantisation, and the engines that run them.

The modules import torch, onnx, onnxruntime and OpenVINO only when they are used.
"""
from .metadata import ModelMetadata

__all__ = ['ModelMetadata']
