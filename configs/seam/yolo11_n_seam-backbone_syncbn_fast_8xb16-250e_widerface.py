_base_ = '../yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'

# Behind the stages that feed the neck
plugins = [dict(cfg=dict(type='mmseam.SEAM'), stages=(False, True, True, True))]
model = dict(backbone=dict(plugins=plugins))
