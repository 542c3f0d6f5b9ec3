# ========================Frequently modified parameters======================
# Everything below follows `train_cfg.max_epochs`; a child config or `--cfg-options` needs to change no other number.
max_epochs = 500
# Epochs without mosaic at the end
close_mosaic_epochs = 10
# Learning rate for 8 GPUs with 16 images each. The loss is summed over the batch, as in YOLO11, and the gradient is
# clipped, so the rate holds for nearby batch sizes; `--auto-scale-lr` scales it in proportion.
base_lr = 0.01
train_batch_size_per_gpu = 16

# ========================Possible modified parameters========================
lr_factor = 0.01  # Final learning rate relative to the first
weight_decay = 0.0005  # For 64 images; the constructor scales it with the batch size
val_interval = 10

# =======================Unmodified in most cases==================
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=val_interval)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

auto_scale_lr = dict(enable=False, base_batch_size=8 * 16)
param_scheduler = None
optim_wrapper = dict(
    type='OptimWrapper',
    clip_grad=dict(max_norm=10.0),
    optimizer=dict(
        type='SGD',
        lr=base_lr,
        momentum=0.937,
        weight_decay=weight_decay,
        nesterov=True,
        batch_size_per_gpu=train_batch_size_per_gpu),
    constructor='YOLOv5OptimizerConstructor')

# MMEngine adds its timer and its sampler's seed by itself
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50),
    visualization=dict(type='mmdet.DetVisualizationHook'),
    param_scheduler=dict(
        type='mmseam.YOLOParamSchedulerHook', scheduler_type='linear', lr_factor=lr_factor, warmup_epochs=3),
    checkpoint=dict(type='CheckpointHook', interval=val_interval, save_best='auto', rule='greater', max_keep_ckpts=2))

custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.0001,
        update_buffers=True,
        strict_load=False,
        priority=49),
    dict(type='mmseam.CloseMosaicHook', num_last_epochs=close_mosaic_epochs),
    dict(type='mmseam.ChannelsLastHook'),
    dict(type='mmseam.KeepMemoryHook'),
    dict(type='mmseam.BadImageHook'),
    dict(type='mmseam.LearningCurveHook'),
]
