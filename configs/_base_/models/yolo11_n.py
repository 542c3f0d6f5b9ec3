# ========================Frequently modified parameters======================
num_classes = 80  # Number of classes
# The scaling factor that controls the depth of the network structure
deepen_factor = 0.5
# The scaling factor that controls the width of the network structure
widen_factor = 0.25

# ========================Possible modified parameters========================
# Output channels of the last stage before widening, `max_channels` of the release: 1024 for n and s, 512 for m, l, x
last_stage_out_channels = 1024
# Whether every C3k2 holds C3k layers, as in m, l and x
all_c3k = False
strides = [8, 16, 32]  # Strides of multi-scale prior box
reg_max = 16  # Bins of the box distribution
norm_cfg = dict(type='BN', momentum=0.03, eps=0.001)
act_cfg = dict(type='SiLU', inplace=False)  # in place, autograd copies the input: 3 % of a step
# Losses and assigner: the values of YOLO11's release
loss_cls_weight = 0.5
loss_bbox_weight = 7.5
loss_dfl_weight = 1.5 / 4  # mmdet's loss sums the four sides where YOLO11 averages them
tal_topk = 10  # Number of positive points of each ground truth
tal_alpha = 0.5  # Exponent of the classification score in the alignment
tal_beta = 6.0  # Exponent of the IoU in the alignment

# =======================Unmodified in most cases==================
model = dict(
    type='YOLODetector',
    data_preprocessor=dict(
        type='YOLOv5DetDataPreprocessor', mean=[0., 0., 0.], std=[255., 255., 255.], bgr_to_rgb=True),
    backbone=dict(
        type='mmseam.YOLO11CSPDarknet',
        deepen_factor=deepen_factor,
        widen_factor=widen_factor,
        last_stage_out_channels=last_stage_out_channels,
        all_c3k=all_c3k,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg),
    neck=dict(
        type='mmseam.YOLO11PAFPN',
        deepen_factor=deepen_factor,
        widen_factor=widen_factor,
        in_channels=[512, 512, last_stage_out_channels],
        out_channels=[256, 512, last_stage_out_channels],
        num_csp_blocks=2,
        all_c3k=all_c3k,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg),
    bbox_head=dict(
        type='mmseam.YOLO11Head',
        head_module=dict(
            type='mmseam.YOLO11HeadModule',
            num_classes=num_classes,
            in_channels=[256, 512, last_stage_out_channels],
            widen_factor=widen_factor,
            reg_max=reg_max,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            featmap_strides=strides),
        prior_generator=dict(type='mmdet.MlvlPointGenerator', offset=0.5, strides=strides),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(
            type='mmdet.CrossEntropyLoss', use_sigmoid=True, reduction='none', loss_weight=loss_cls_weight),
        loss_bbox=dict(
            type='IoULoss',
            iou_mode='ciou',
            bbox_format='xyxy',
            reduction='sum',
            loss_weight=loss_bbox_weight,
            return_iou=False),
        loss_dfl=dict(type='mmdet.DistributionFocalLoss', reduction='mean', loss_weight=loss_dfl_weight)),
    train_cfg=dict(
        assigner=dict(
            type='BatchTaskAlignedAssigner',
            num_classes=num_classes,
            use_ciou=True,
            topk=tal_topk,
            alpha=tal_alpha,
            beta=tal_beta,
            eps=1e-9)),
    test_cfg=dict(
        multi_label=True,  # a box can have several classes
        nms_pre=30000,  # The number of boxes before NMS
        score_thr=0.001,  # Threshold to filter out boxes
        nms=dict(type='nms', iou_threshold=0.7),
        max_per_img=300))  # Max number of detections of each image
