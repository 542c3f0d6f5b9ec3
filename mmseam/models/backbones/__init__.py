"""Backbones."""
from .yolo11_csp_darknet import YOLO11CSPDarknet

__all__ = ['YOLO11CSPDarknet']
