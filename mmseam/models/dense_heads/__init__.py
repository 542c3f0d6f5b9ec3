"""Head modules."""
from .attention_head import AttentionHeadModule, MultiSEAMHeadModule, SEAMHeadModule
from .yolo11_head import YOLO11HeadModule

__all__ = ['AttentionHeadModule', 'MultiSEAMHeadModule', 'SEAMHeadModule', 'YOLO11HeadModule']
