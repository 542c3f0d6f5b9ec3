# ========================Frequently modified parameters======================
# Everything below follows `train_cfg.max_epochs`; a child config or `--cfg-options` needs to change no other number.
max_epochs = 500
# Epochs without mosaic at the end; at most a third of the training
close_mosaic_epochs = 10
# For every batch size: batches of up to 64 images are accumulated to 64, see mmseam.YOLOParamSchedulerHook
base_lr = 0.01
# True: AdamW if the training is shorter than 10,000 optimizer steps, which is better for fine-tuning on little data
auto_optimizer = False

# ========================Possible modified parameters========================
lr_factor = 0.01  # Final learning rate relative to the first
nominal_batch_size = 64  # Images per optimizer step that smaller batches are accumulated to
weight_decay = 0.0005  # For the nominal batch size; it follows the images per optimizer step
warmup_epochs = 3
warmup_min_iters = 100  # Small datasets have few iterations per epoch
val_interval = 10

# =======================Unmodified in most cases==================
train_cfg = dict(type='mmseam.ResumableTrainLoop', max_epochs=max_epochs, val_interval=val_interval)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# `--auto-scale-lr` raises the rate for more than the 8 x 16 images of the release's recipe, and never lowers it
auto_scale_lr = dict(enable=False, base_batch_size=8 * 16)
param_scheduler = None
optim_wrapper = dict(
    type='mmseam.AccumulatingOptimWrapper',
    clip_grad=dict(max_norm=10.0),
    optimizer=dict(
        type='SGD',
        lr=base_lr,
        momentum=0.937,
        weight_decay=weight_decay,
        nesterov=True),
    constructor='YOLOv5OptimizerConstructor')

# MMEngine adds its timer and its sampler's seed by itself
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50),
    visualization=dict(type='mmdet.DetVisualizationHook'),
    param_scheduler=dict(
        type='mmseam.YOLOParamSchedulerHook',
        scheduler_type='linear',
        lr_factor=lr_factor,
        warmup_epochs=warmup_epochs,
        warmup_mim_iter=warmup_min_iters,
        nominal_batch_size=nominal_batch_size,
        auto_optimizer=auto_optimizer),
    checkpoint=dict(
        type='mmseam.CheckpointHook', interval=val_interval, save_best='auto', rule='greater', max_keep_ckpts=2))

custom_hooks = [
    dict(
        type='mmseam.EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.0001,
        update_buffers=True,
        strict_load=False,
        priority=49),
    dict(type='mmseam.CloseMosaicHook', num_last_epochs=close_mosaic_epochs),
    dict(type='mmseam.DataCheckHook'),
    dict(type='mmseam.CheckpointMatchHook'),
    dict(type='mmseam.ChannelsLastHook'),
    dict(type='mmseam.KeepMemoryHook'),
    dict(type='mmseam.CheckInvalidLossHook'),
    dict(type='mmseam.BadImageHook'),
    dict(type='mmseam.LearningCurveHook'),
]
