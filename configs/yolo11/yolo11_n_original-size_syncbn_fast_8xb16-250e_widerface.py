_base_ = './yolo11_n_syncbn_fast_8xb16-250e_widerface.py'

test_dataloader = dict(dataset=dict(pipeline=_base_.original_size_pipeline))
env_cfg = dict(cudnn_benchmark=False)  # the test images have many sizes
