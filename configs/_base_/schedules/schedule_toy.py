# A few minutes on two cores of a CPU, from scratch
_base_ = './schedule_500e.py'

max_epochs = 8
base_lr = 0.002

train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs // 2)
auto_scale_lr = dict(base_batch_size=8)
# One group of parameters, one fused step (PyTorch 2.4 or newer on a CPU) and no clipping: separate steps for
# each tensor would take a tenth as long as the network
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        begin=1,
        end=max_epochs,
        T_max=max_epochs - 1,
        by_epoch=True,
        convert_to_iter_based=True)
]
default_hooks = dict(
    logger=dict(interval=10),
    param_scheduler=dict(_delete_=True, type='ParamSchedulerHook'),
    checkpoint=dict(interval=max_epochs // 2, max_keep_ckpts=1))
custom_hooks = [
    # The weights change quickly in such a short training; EMA covers some 50 steps
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.02,
        update_buffers=True,
        strict_load=False,
        priority=49),
    dict(type='mmseam.DataCheckHook'),
    dict(type='mmseam.CheckpointMatchHook'),
    dict(type='mmseam.ChannelsLastHook'),
    dict(type='mmseam.KeepMemoryHook'),
    dict(type='mmseam.CheckInvalidLossHook'),
    dict(type='mmseam.BadImageHook'),
    dict(type='mmseam.LearningCurveHook'),
    dict(type='mmseam.ProgressBarHook'),
]
