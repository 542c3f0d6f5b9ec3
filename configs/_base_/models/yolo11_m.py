_base_ = './yolo11_n.py'

deepen_factor = 0.5
widen_factor = 1.0
last_stage_out_channels = 512
all_c3k = True

scaling = dict(deepen_factor=deepen_factor, widen_factor=widen_factor, all_c3k=all_c3k)
model = dict(
    backbone=dict(last_stage_out_channels=last_stage_out_channels, **scaling),
    neck=dict(
        in_channels=[512, 512, last_stage_out_channels],
        out_channels=[256, 512, last_stage_out_channels],
        **scaling),
    bbox_head=dict(
        head_module=dict(in_channels=[256, 512, last_stage_out_channels], widen_factor=widen_factor)))
