"""Ultralytics' training dataset as a contender of ``data_loading.py``; runs with the peer's interpreter."""
from pathlib import Path


def peer_loader(folder, imgsz, workers, batch, number):
    """Load with Ultralytics' default training augmentation: mosaic, affine (scale .5, translate .1), HSV and flip."""
    import torch
    import torchvision_stub  # noqa: F401  (before ultralytics, whose torchvision may not fit its torch)
    from loader_data import loading_run
    from ultralytics.cfg import get_cfg
    from ultralytics.data.build import build_yolo_dataset
    torch.set_num_threads(1)
    cfg = get_cfg(overrides=dict(
        task='detect', imgsz=imgsz, mosaic=1., scale=.5, translate=.1, degrees=0., shear=0., perspective=0.,
        hsv_h=.015, hsv_s=.7, hsv_v=.4, fliplr=.5, flipud=0., mixup=0., copy_paste=0., cache=False))
    labels = {line.split()[0] for path in Path(folder, 'labels').glob('*.txt')
              for line in path.read_text().splitlines()}
    names = {label: str(label) for label in range(max(map(int, labels)) + 1)}
    dataset = build_yolo_dataset(cfg, str(Path(folder, 'images')), batch, dict(names=names), mode='train')
    return loading_run(dataset, dataset.collate_fn, lambda data: data['img'], number, batch, workers)
