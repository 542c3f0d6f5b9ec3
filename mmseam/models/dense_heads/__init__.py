"""Head modules and the dense head of YOLO11."""
from .attention_head import AttentionHeadModule, MultiSEAMHeadModule, SEAMHeadModule
from .yolo11_head import YOLO11Head, YOLO11HeadModule

__all__ = ['AttentionHeadModule', 'MultiSEAMHeadModule', 'SEAMHeadModule', 'YOLO11Head', 'YOLO11HeadModule']
