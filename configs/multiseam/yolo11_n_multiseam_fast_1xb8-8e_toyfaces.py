_base_ = [
    '../_base_/models/yolo11_n.py', '../_base_/datasets/toy_faces_192.py', '../_base_/schedules/schedule_toy.py',
    '../_base_/default_runtime.py'
]

head_module = dict(type='mmseam.MultiSEAMHeadModule', num_classes=1)
# Ten points a face, as in YOLO11: the drawn faces are larger than WIDER's, and more points teach faster
model = dict(
    _base_.one_class_model,
    bbox_head=dict(head_module=head_module),
    train_cfg=dict(assigner=dict(num_classes=1, topk=10)))
