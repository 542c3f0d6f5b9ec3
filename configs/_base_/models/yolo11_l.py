_base_ = './yolo11_m.py'

deepen_factor = 1.0

model = dict(backbone=dict(deepen_factor=deepen_factor), neck=dict(deepen_factor=deepen_factor))
