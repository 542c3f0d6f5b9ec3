_base_ = '../yolo11/yolo11_l_syncbn_fast_8xb16-500e_coco.py'

model = dict(bbox_head=dict(head_module=dict(type='mmseam.SEAMHeadModule')))
