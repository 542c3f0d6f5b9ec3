# First stage of the boxed face detector: drawn faces, from random weights
_base_ = '../multiseam/yolo11_n_multiseam_fast_1xb8-8e_toyfaces.py'

attention_cfg = dict(patch_groups='depthwise', pad_to_patch=True, identity_init=True)
model = dict(bbox_head=dict(head_module=dict(attention_cfg=attention_cfg, keep_cls_stem=True)))
train_dataloader = dict(batch_size=16)
auto_scale_lr = dict(base_batch_size=16)
