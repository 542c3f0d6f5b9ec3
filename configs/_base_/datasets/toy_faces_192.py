# Drawn faces in the layout of WIDER FACE, made by tools/dataset_converters/make_toy_faces.py
_base_ = './wider_face_640.py'

data_root = 'data/toy_faces/'
img_scale = (192, 192)  # width, height

resize = [
    dict(type='YOLOv5KeepRatioResize', scale=img_scale),
    dict(type='LetterResize', scale=img_scale, allow_scale_up=True, pad_val=dict(img=114))
]
# Neither mosaic nor affine nor colors: so short a training hardly sees a picture ten times, and the pictures vary in
# all of that by themselves
train_pipeline = [*_base_.pre_transform, *resize, *_base_.last_transform[1:]]
train_dataloader = dict(
    batch_size=8, num_workers=1, dataset=dict(data_root=data_root, min_face_size=0, pipeline=train_pipeline))

test_pipeline = [_base_.test_pipeline[0], *resize, *_base_.test_pipeline[-2:]]
val_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
