_base_ = '../yolo11/yolo11_l_syncbn_fast_8xb16-250e_widerface.py'

model = dict(bbox_head=dict(head_module=dict(type='mmseam.SEAMHeadModule')))
