_base_ = '../yolo11/yolo11_n_fast_1xb16-100e_custom-faces.py'

model = dict(bbox_head=dict(head_module=dict(type='mmseam.MultiSEAMHeadModule')))
