"""The peer: Ultralytics with the published YOLO11 MultiSEAM head, in its own interpreter (see ``worker.Contender``).

The folder of ``--peer-path`` contains ``ultralytics_multiseam.py`` (``ArticleNet``) and ``torchvision_stub.py``.
"""
import contextlib
from types import SimpleNamespace

import torch
import torchvision_stub  # noqa: F401  (before ultralytics)
from synthetic import labeled_images, read_images, set_class_bias, settle
from ultralytics_multiseam import ArticleNet

HEADS = {'plain': 'Detect', 'seam': 'Detect_SEAM', 'multiseam': 'Detect_MultiSEAM'}


def build_network(size, head, images):
    """Build Ultralytics' detection model with the published head, so that all of its code works with it."""
    torch.manual_seed(0)
    article = ArticleNet(size, 1, HEADS[head])
    model, layers = article.net, article.net.model
    article.head.f, article.head.i, article.head.type = article.sources, layers[-1].i, head
    layers[-1] = article.head
    article.head.bias_init()
    model.stride = article.head.stride
    settle(model, images)
    return model


def forward(size, head, imgsz, batch, device):
    """Run the fused network, decoding included."""
    model = build_network(size, head, torch.randn(2, 3, *2 * [max(imgsz, 256)])).fuse(verbose=False).to(device)
    images = torch.randn(batch, 3, imgsz, imgsz, device=device)

    def run():
        with torch.inference_mode():
            model(images)
        if device == 'cuda':
            torch.cuda.synchronize()

    return run, {}


def training_step(size, head, imgsz, batch, boxes, device):
    """Run forward, loss, backward, clipping and optimizer step like Ultralytics' trainer, without EMA."""
    from ultralytics.engine.trainer import BaseTrainer
    images, labels = labeled_images(batch, imgsz, boxes)
    model = build_network(size, head, torch.randn(2, 3, *2 * [max(imgsz, 256)])).to(device).train()
    model.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
    optimizer = BaseTrainer.build_optimizer(SimpleNamespace(), model, 'SGD', 1e-6, 0.937, 5e-4)
    amp = device == 'cuda'
    scaler = torch.amp.GradScaler(device, enabled=amp)
    trainer = SimpleNamespace(model=model, optimizer=optimizer, ema=None, scaler=scaler)
    labels = labels.to(device)
    data = dict(batch_idx=labels[:, 0], cls=torch.zeros(len(labels), 1, device=device), bboxes=labels[:, 1:])
    facts = {}

    def run():
        with torch.autocast(device) if amp else contextlib.nullcontext():
            loss, _ = model(dict(data, img=images.to(device, non_blocking=True).float() / 255))
        trainer.scaler.scale(loss).backward()
        BaseTrainer.optimizer_step(trainer)
        facts['loss'] = loss.item()

    return run, facts


def prediction(folder, size, head, test_cfg, candidates):
    """Run Ultralytics' own prediction from JPEG to boxes, one image at a time.

    On a CPU its ``predict`` leaves a core free; here it uses as many threads as the other contenders.
    """
    from ultralytics import YOLO
    threads = torch.get_num_threads()
    images = read_images(folder, 640)
    model = build_network(size, head, images)
    with torch.no_grad():
        levels = model(images)[1]
    classes = torch.cat([level[:, -model.model[-1].nc:].flatten(1) for level in levels], 1)
    set_class_bias([branch[-1] for branch in model.model[-1].cv3], classes, candidates, test_cfg['score_thr'])
    model.names = {0: 'face'}
    yolo = YOLO(f'yolo11{size}.yaml')
    yolo.model = model
    facts = {}

    def run():
        results = list(yolo.predict(
            folder, stream=True, imgsz=640, conf=test_cfg['score_thr'], iou=test_cfg['nms']['iou_threshold'],
            max_det=test_cfg['max_per_img'], verbose=False, save=False, device='cpu'))
        facts['boxes_per_image'] = sum(map(len, results)) / len(results)
        facts['stages_ms'] = {stage: sum(result.speed[stage] for result in results) / len(results)
                              for stage in results[0].speed}

    run()  # sets the number of threads when it loads the model
    torch.set_num_threads(threads)
    return run, facts
