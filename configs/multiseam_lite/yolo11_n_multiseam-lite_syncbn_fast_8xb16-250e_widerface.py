_base_ = '../multiseam/yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface.py'

# Depthwise patch embeddings that reach the border, a start as the identity, and YOLO11's own class stem
attention_cfg = dict(patch_groups='depthwise', pad_to_patch=True, identity_init=True)
model = dict(bbox_head=dict(head_module=dict(attention_cfg=attention_cfg, keep_cls_stem=True)))
