_base_ = [
    '../_base_/models/yolo11_n_p2.py', '../_base_/datasets/wider_face_640.py', '../_base_/schedules/schedule_250e.py',
    '../_base_/default_runtime.py'
]

model = _base_.one_class_model
