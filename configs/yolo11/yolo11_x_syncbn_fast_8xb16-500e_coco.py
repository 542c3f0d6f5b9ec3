_base_ = [
    '../_base_/models/yolo11_x.py', '../_base_/datasets/coco_640.py', '../_base_/schedules/schedule_500e.py',
    '../_base_/default_runtime.py'
]

train_pipeline_stage2 = _base_.train_pipelines_stage2.x
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipelines.x))
model = _base_.data_model
