# The boxed face detector; README.md has the settings of its training
_base_ = '../multiseam/yolo11_n_multiseam_fast_1xb16-100e_custom-coco.py'

attention_cfg = dict(patch_groups='depthwise', pad_to_patch=True, identity_init=True)
model = dict(bbox_head=dict(head_module=dict(attention_cfg=attention_cfg, keep_cls_stem=True)))
train_cfg = dict(max_epochs=60)
