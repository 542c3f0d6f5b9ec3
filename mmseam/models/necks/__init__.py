"""Necks."""
from .attention_neck import AttentionNeck
from .yolo11_pafpn import YOLO11PAFPN

__all__ = ['AttentionNeck', 'YOLO11PAFPN']
