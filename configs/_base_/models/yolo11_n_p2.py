_base_ = './yolo11_n.py'

# One more level, of stride 4, for faces of a few pixels: the first stage of the backbone, twice the size of P3
strides = [4, 8, 16, 32]
out_channels = [128, *_base_.model.neck.out_channels]

model = dict(
    backbone=dict(out_indices=(1, 2, 3, 4)),
    neck=dict(in_channels=[256, *_base_.model.neck.in_channels], out_channels=out_channels),
    bbox_head=dict(
        head_module=dict(in_channels=out_channels, featmap_strides=strides), prior_generator=dict(strides=strides)))
