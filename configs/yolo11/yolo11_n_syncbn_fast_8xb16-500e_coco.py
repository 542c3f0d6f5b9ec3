_base_ = [
    '../_base_/models/yolo11_n.py', '../_base_/datasets/coco_640.py', '../_base_/schedules/schedule_500e.py',
    '../_base_/default_runtime.py'
]

model = _base_.data_model
