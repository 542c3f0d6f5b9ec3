default_scope = 'mmyolo'
custom_imports = dict(imports=['mmseam'], allow_failed_imports=False)

env_cfg = dict(
    cudnn_benchmark=True,  # training has one image size
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=1800))  # seconds until a hanging process is detected

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='mmdet.DetLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)

log_level = 'INFO'
load_from = None
resume = False
