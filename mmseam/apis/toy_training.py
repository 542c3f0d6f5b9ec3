"""Quickstart: train a detector of occluded toy faces from scratch in minutes on a CPU."""
import json
import shutil
from pathlib import Path
from typing import Dict, Union

import cv2
import numpy as np
from mmengine.config import Config

from mmseam.datasets.toy_faces import make_toy_faces
from mmseam.engine import testing, training
from mmseam.engine.runners import build_runner
from mmseam.inference.media import write_image
from mmseam.inference.prediction import predict
from mmseam.utils.atomic_write import atomic_write
from mmseam.utils.config import load_config

CONFIG = 'yolo11_n_multiseam_fast_1xb8-8e_toyfaces'
NUM_DRAWN = 24


def quickstart(data_root: Union[str, Path], out_dir: Union[str, Path]) -> Dict[str, float]:
    """Generate toy faces, train YOLO11n-MultiSEAM on them from scratch, evaluate it and draw its predictions.

    Args:
        data_root (str or Path): Folder of the dataset, generated if it is missing.
        out_dir (str or Path): Folder of the results: checkpoints, log, ``learning_curve.csv`` and ``.png``,
            ``metrics.json``, ``predictions/`` and ``predictions.jpg``.

    Returns:
        dict[str, float]: COCO metrics (fractions) and WIDER FACE metrics (percent) on the validation images.

    Raises:
        FileExistsError: ``data_root`` contains something else.
        WorkDirInUseError, InvalidLossError, LoaderError, OSError, Interrupted: See
            :func:`mmseam.engine.training.train`.
    """
    data_root, out_dir = Path(data_root), Path(out_dir)
    make_toy_faces(data_root, show_progress=True)
    cfg = load_config(CONFIG, work_dir=str(out_dir))
    for split in ('train', 'val', 'test'):
        cfg[f'{split}_dataloader'].dataset.data_root = str(data_root)
    train(cfg)
    checkpoint = out_dir / f'epoch_{cfg.train_cfg.max_epochs}.pth'
    metrics = evaluate(cfg, checkpoint)
    with atomic_write(out_dir / 'metrics.json') as file:
        json.dump(metrics, file, indent=2)
    draw(cfg, checkpoint, data_root / 'WIDER_val' / 'images', out_dir)
    return metrics


def train(cfg: Config) -> None:
    """Train with a progress bar and a line per epoch on the terminal; the log file contains everything."""
    training.train(cfg.copy(), quiet=True)


def evaluate(cfg: Config, checkpoint: Path) -> Dict[str, float]:
    """Evaluate the checkpoint on the test set of the config, as tools/test.py does."""
    cfg = cfg.copy()
    cfg.load_from = str(checkpoint)
    cfg.experiment_name = f'{CONFIG}_test'
    return {name: float(value) for name, value in testing.test(build_runner(cfg, quiet=True)).items()}


def draw(cfg: Config, checkpoint: Path, images: Path, out_dir: Path) -> None:
    """Draw predictions on some images, as single files and as a contact sheet."""
    chosen, drawn = out_dir / 'images', out_dir / 'predictions'
    for folder in (chosen, drawn):
        shutil.rmtree(folder, ignore_errors=True)
    chosen.mkdir(parents=True)
    all_images = sorted(images.rglob('*.jpg'))
    for path in all_images[::max(len(all_images) // NUM_DRAWN, 1)][:NUM_DRAWN]:
        shutil.copy(path, chosen)
    config = out_dir / f'{CONFIG}.py'
    summary = predict(chosen, config, checkpoint, drawn, batch_size=8)
    shutil.rmtree(chosen)
    write_image(out_dir / 'predictions.jpg', contact_sheet([cv2.imread(str(path)) for path in summary.written]))


def contact_sheet(images: list, columns: int = 6) -> np.ndarray:
    """Arrange images of the same size in a grid.

    Args:
        images (list[np.ndarray]): Images of shape (H, W, 3).
        columns (int): Images per row; the last row is filled with white. Defaults to 6.

    Returns:
        np.ndarray: The contact sheet.
    """
    blank = np.full_like(images[0], 255)
    images = images + [blank] * (-len(images) % columns)
    rows = [np.hstack(images[i:i + columns]) for i in range(0, len(images), columns)]
    return np.vstack(rows)

