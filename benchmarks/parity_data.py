"""Data, configs and scores of ``recipe_parity.py``: one split of real faces in the formats of both sides."""
import json
import random
from pathlib import Path

NUM_TRAIN = 600
CONFIGS = dict(plain='yolo11_n_syncbn_fast_8xb16-500e_coco', multiseam='yolo11_n_multiseam_syncbn_fast_8xb16-500e_coco')
WIDER_CONFIG = 'yolo11_n_syncbn_fast_8xb16-250e_widerface'


# ======================== Data ========================
def write_split(data: Path, out: Path) -> None:
    """Split ``masked_faces`` into training and validation, as COCO JSON and in Ultralytics' layout.

    Args:
        data (Path): Folder that contains ``masked_faces/``.
        out (Path): Folder to write to; images are symbolic links.
    """
    source = json.loads((data / 'masked_faces' / 'annotations.json').read_text())
    images = sorted(source['images'], key=lambda image: image['id'])
    random.Random(0).shuffle(images)
    for name, part in dict(train=images[:NUM_TRAIN], val=images[NUM_TRAIN:]).items():
        part = sorted(part, key=lambda image: image['id'])
        boxes = {image['id']: [] for image in part}
        for annotation in source['annotations']:
            if annotation['image_id'] in boxes:
                boxes[annotation['image_id']].append(annotation)
        out.mkdir(parents=True, exist_ok=True)
        (out / f'{name}.json').write_text(json.dumps(dict(
            images=part, annotations=sum(boxes.values(), []), categories=source['categories'])))
        for image in part:
            _write_ultralytics(data / 'masked_faces' / 'images', out, name, image, boxes[image['id']])


def _write_ultralytics(source: Path, out: Path, part: str, image: dict, annotations: list) -> None:
    link, label = (out / kind / part / image['file_name'] for kind in ('images', 'labels'))
    for path in (link, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to((source / image['file_name']).resolve())
    rows = []
    width, height = image['width'], image['height']
    for x, y, w, h in (annotation['bbox'] for annotation in annotations):
        x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
        center = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height
        rows.append('0 {:.6f} {:.6f} {:.6f} {:.6f}\n'.format(*center, (x2 - x1) / width, (y2 - y1) / height))
    label.with_suffix('.txt').write_text(''.join(rows))


def score(annotations: Path, detections: Path) -> dict:
    """Compute AP, AP50 and AP75 with pycocotools, with at most 300 boxes per image.

    Args:
        annotations (Path): COCO JSON.
        detections (Path): COCO results.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    truth = COCO(str(annotations))
    evaluation = COCOeval(truth, truth.loadRes(str(detections)), 'bbox')
    evaluation.params.maxDets = [1, 100, 300]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval['precision'][:, :, 0, 0, 2]  # threshold, recall; one class, every area, 300 boxes
    return dict(AP=float(precision.mean()), AP50=float(precision[0].mean()), AP75=float(precision[5].mean()))


def optimizer_facts(checkpoint: Path) -> dict:
    """Read the number of optimizer steps, and the last rates and weight decay of the three groups.

    Args:
        checkpoint (Path): Checkpoint of a training with mmseam.
    """
    from mmseam.compat.safe_checkpoints import load_checkpoint_file
    content = load_checkpoint_file(checkpoint, map_location='cpu')
    groups = content['optimizer']['param_groups']
    return dict(steps=int(content['ema_state_dict']['steps']), rates=[group['lr'] for group in groups],
                weight_decay=[group['weight_decay'] for group in groups])


# ======================== Config ========================
def child_config(head: str, data: Path, images: Path, imgsz: int, epochs: int, batch: int, seed: int, auto: bool):
    """Change only data, classes, epochs, image size and batch size of one of mmseam's COCO configs.

    Args:
        head (str): 'plain' or 'multiseam'.
        data (Path): Folder with ``train.json`` and ``val.json``.
        images (Path): Folder of the images.
        imgsz (int): Side length of the network's input.
        epochs (int): Number of epochs.
        batch (int): Images per iteration and process.
        seed (int): Seed.
        auto (bool): Whether short trainings use AdamW.

    Returns:
        Config: The config; the data loaders use no worker processes.
    """
    from mmseam.utils.config import load_config
    settings = dict(
        data_root=data, classes='("face", )', train_ann_file='train.json', val_ann_file='val.json',
        train_data_prefix=f'{images}/', val_data_prefix=f'{images}/', img_scale=f'({imgsz}, {imgsz})',
        max_epochs=epochs, val_interval=epochs, auto_optimizer=auto)
    cfg = load_config(CONFIGS[head], [f'{key}={value}' for key, value in settings.items()])
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False, pin_memory=False)
    cfg.train_dataloader.batch_size = batch
    cfg.default_hooks.checkpoint.save_best = None
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.proposal_nums = (1, 100, 300)
    cfg.test_evaluator.outfile_prefix = 'detections'
    cfg.randomness = dict(seed=seed)
    return cfg


def use_wider_pipeline(cfg, imgsz: int, cached: int) -> None:
    """Train with the pipeline of the WIDER FACE configs.

    Args:
        cfg (Config): Config of ``child_config``.
        imgsz (int): Side length of the network's input.
        cached (int): Number of images from which mosaics are drawn; 0: the complete dataset.
    """
    from mmseam.utils.config import load_config
    wider = load_config(WIDER_CONFIG, [f'img_scale=({imgsz}, {imgsz})'])
    pipeline = wider.train_dataloader.dataset.pipeline
    mosaic, = (step for step in pipeline if step.type == 'mmseam.MosaicAffine')
    mosaic.update(dict(use_cached=True, max_cached_images=cached) if cached else dict(use_cached=False))
    cfg.train_dataloader.dataset.pipeline = pipeline
    cfg.train_pipeline_stage2 = wider.train_pipeline_stage2
