_base_ = [
    '../_base_/models/yolo11_n.py', '../_base_/datasets/custom_faces.py', '../_base_/schedules/schedule_100e.py',
    '../_base_/default_runtime.py'
]

model = _base_.data_model
