"""Hooks."""
from .bad_image_hook import BadImageHook
from .channels_last_hook import ChannelsLastHook
from .check_invalid_loss_hook import CheckInvalidLossHook
from .checkpoint_hook import CheckpointHook
from .checkpoint_match_hook import CheckpointMatchHook
from .close_mosaic_hook import CloseMosaicHook
from .data_check_hook import DataCheckHook
from .ema_hook import EMAHook
from .keep_memory_hook import KeepMemoryHook
from .learning_curve_hook import LearningCurveHook
from .progress_bar_hook import ProgressBarHook
from .switch_to_deploy_hook import SwitchToDeployHook
from .yolo_param_scheduler_hook import YOLOParamSchedulerHook

__all__ = [
    'BadImageHook', 'ChannelsLastHook', 'CheckInvalidLossHook', 'CheckpointHook', 'CheckpointMatchHook',
    'CloseMosaicHook', 'DataCheckHook', 'EMAHook', 'KeepMemoryHook', 'LearningCurveHook', 'ProgressBarHook',
    'SwitchToDeployHook', 'YOLOParamSchedulerHook'
]
