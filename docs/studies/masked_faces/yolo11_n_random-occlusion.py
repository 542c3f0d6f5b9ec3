"""YOLO11n with RandomOcclusion in its training pipelines."""
_base_ = 'mmseam::yolo11/yolo11_n_syncbn_fast_8xb16-500e_coco.py'

occlusion = dict(type='mmseam.RandomOcclusion')
# After mosaic, affine and mixup, before color and flip
train_dataloader = dict(
    dataset=dict(pipeline=[*_base_.train_pipelines.n[:6], occlusion, *_base_.train_pipelines.n[6:]]))
train_pipeline_stage2 = [*_base_.train_pipelines_stage2.n[:5], occlusion, *_base_.train_pipelines_stage2.n[5:]]
