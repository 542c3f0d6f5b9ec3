_base_ = '../yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'

attention_neck = dict(
    type='mmseam.AttentionNeck',
    in_channels=_base_.model.neck.out_channels,
    widen_factor=_base_.widen_factor,
    attention_cfg=dict(type='mmseam.SEAM'))
model = dict(neck=[_base_.model.neck, attention_neck])
