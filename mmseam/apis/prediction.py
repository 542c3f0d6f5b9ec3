"""Draws a detector's predictions on images and videos."""
from itertools import islice
from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np
from mmengine.structures import BaseDataElement
from tqdm import tqdm

from mmseam.datasets import LoadIntactImage
from mmseam.utils.checkpoint_match import check_checkpoint_file
from mmseam.utils.config import load_config

from .inferencer import CheckedDetInferencer
from .media import VideoReader, VideoWriter, find_images, is_video, write_image


class PredictionSummary(NamedTuple):
    """What :func:`predict` did.

    Args:
        written (List[Path]): The drawn images, or the video.
        bad (List[str]): Why images could not be read, each with the file's name.
        num_frames (int): Images or video frames that were predicted on.
        num_detections (int): Boxes drawn in them.
    """
    written: List[Path]
    bad: List[str]
    num_frames: int
    num_detections: int


def predict(source: Union[str, Path],
            config: Union[str, Path],
            checkpoint: Union[str, Path],
            out_dir: Union[str, Path],
            score_thr: float = 0.3,
            device: Optional[str] = None,
            batch_size: int = 1) -> PredictionSummary:
    """Draw predictions on an image, on all images of a folder, or on a video.

    Args:
        source (str or Path): Image, folder (with the folders in it) or video.
        config (str or Path): Config file, or the name of one of mmseam's.
        checkpoint (str or Path): Checkpoint of that config.
        out_dir (str or Path): Folder of the results, whose files are named as the sources; videos are ``.mp4``.
        score_thr (float): Boxes below this score are not drawn. Defaults to 0.3.
        device (str, optional): ``'cpu'``, ``'cuda:0'``, …; the best one there is if None. Defaults to None.
        batch_size (int): Images per forward pass. Defaults to 1.

    Returns:
        PredictionSummary: Files and counts. An image that cannot be read is left out and named there.

    Raises:
        ConfigError: There is no such config, or it is damaged.
        CheckpointMismatchError: The checkpoint is not one of the config's model.
        FileNotFoundError: There is no source, no image in it, or no checkpoint.
        ValueError: The source is of no known kind, or lies in ``out_dir``.
        OSError: The video cannot be read or written.
    """
    source, out_dir = Path(source), Path(out_dir)
    root = source if source.is_dir() else source.parent
    if root.resolve() == out_dir.resolve():
        raise ValueError(f'the results would overwrite what is in {out_dir}; choose another folder for them')
    is_single_video = source.is_file() and is_video(source)
    media = VideoReader(source) if is_single_video else find_images(source, out_dir)
    check_checkpoint_file(checkpoint)
    cfg = load_config(config)
    cfg.get('visualizer', {}).pop('vis_backends', None)  # images are returned, not stored
    drawer = _Drawer(CheckedDetInferencer(cfg, str(checkpoint), device, 'mmseam', show_progress=False), score_thr,
                     batch_size)
    if is_single_video:
        return _predict_video(drawer, media, out_dir / f'{source.stem}.mp4')
    return _predict_images(drawer, media, root, out_dir)


def _predict_images(drawer: '_Drawer', images: List[Path], root: Path, out_dir: Path) -> PredictionSummary:
    written, bad = [], []
    for path, drawn in drawer.draw(_read_images(tqdm(images, unit='image'), bad)):
        written.append(out_dir / path.relative_to(root))
        write_image(written[-1], drawn)
    return PredictionSummary(written, bad, len(written), drawer.num_detections)


def _read_images(paths: Iterable[Path], bad: List[str]) -> Iterator[Tuple[Path, np.ndarray]]:
    """Readable images; what is wrong with the others goes to ``bad``."""
    load = LoadIntactImage()
    for path in paths:
        try:
            image = load(dict(img_path=str(path)))['img']
        except OSError as error:
            bad.append(str(error))
            tqdm.write(f'left out: {error}')
        else:
            yield path, image


def _predict_video(drawer: '_Drawer', video: VideoReader, path: Path) -> PredictionSummary:
    num_frames = 0
    with VideoWriter(path, video.fps, video.size) as writer:
        frames = enumerate(tqdm(video, total=video.num_frames or None, unit='frame'))
        for _, drawn in drawer.draw(frames):
            writer.write(drawn)
            num_frames += 1
    return PredictionSummary([path], [], num_frames, drawer.num_detections)


class _Drawer:
    """Predicts on batches and draws, keeping no more than a batch in memory."""

    def __init__(self, inferencer: CheckedDetInferencer, score_thr: float, batch_size: int) -> None:
        self.inferencer = inferencer
        self.score_thr = score_thr
        self.batch_size = batch_size
        self.num_detections = 0

    def draw(self, images: Iterable[Tuple[object, np.ndarray]]) -> Iterator[Tuple[object, np.ndarray]]:
        """Pairs of a key and an image (H, W, 3) in BGR become pairs of the key and the drawn image."""
        images = iter(images)
        while True:
            batch = list(islice(images, self.batch_size))
            if not batch:
                return
            answers = self.inferencer([image for _, image in batch], self.batch_size, return_datasamples=True)
            for (key, image), sample in zip(batch, answers['predictions']):
                yield key, self._draw_one(image, sample)

    def _draw_one(self, image: np.ndarray, sample: BaseDataElement) -> np.ndarray:
        self.num_detections += int((sample.pred_instances.scores >= self.score_thr).sum())
        visualizer = self.inferencer.visualizer
        rgb = np.ascontiguousarray(image[..., ::-1])
        visualizer.add_datasample('prediction', rgb, sample, draw_gt=False, pred_score_thr=self.score_thr)
        return np.ascontiguousarray(visualizer.get_image()[..., ::-1])
