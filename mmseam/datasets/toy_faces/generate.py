"""Generate the toy dataset: drawn faces occluded by masks, hands, bars and other faces, in WIDER FACE's layout."""
import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Union

import cv2
from rich.progress import track

from mmseam.utils.atomic_write import write_errors

from .manifest import Manifest, file_sizes
from .writer import SPLITS, ImageJob, WrittenImage, summarize, write_image, write_split

GENERATOR_VERSION = 1  # increase with every change of the drawings, so that older datasets are regenerated
_MIN_IMAGE_SIZE = 64
_SMALL_JOB = 64  # below this number of images, starting processes takes longer than drawing
_MAX_WORKERS = 8  # each imports PyTorch: a few hundred MB and some seconds


def make_toy_faces(out_dir: Union[str, Path], num_train: int = 600, num_val: int = 150, image_size: int = 256,
                   seed: int = 0, num_workers: Optional[int] = None,
                   show_progress: bool = False) -> Dict[str, Dict[str, int]]:
    """Generate a small dataset of drawn, partially occluded faces in the exact layout of WIDER FACE.

    The output is deterministic: equal parameters give identical files for any number of processes, and image i of a
    split does not depend on the number of images. A complete dataset with the same parameters is kept; an incomplete
    one, or one with other parameters, is replaced. The dataset is written to a temporary folder next to ``out_dir`` and
    renamed at the end.

    Occlusion is measured: the covered fraction of the face's pixels inside the image gives 0 (none, <10%), 1 (partial,
    10% to <40%) or 2 (heavy, >=40%); the fractions are written too.

    Args:
        out_dir (str | Path): Folder of the dataset; missing, empty or created by this function.
        num_train (int): Number of training images. Defaults to 600.
        num_val (int): Number of validation images. Defaults to 150.
        image_size (int): Side of the square images in pixels, at least 64. Defaults to 256.
        seed (int): Non-negative seed. Defaults to 0.
        num_workers (int, optional): Number of processes. Values above 1 need ``if __name__ == '__main__':`` in
            the calling script. Defaults to None: the number of cores up to 8, or 1 for few images.
        show_progress (bool): Whether to show a progress bar. Defaults to False.

    Returns:
        dict[str, dict[str, int]]: For 'train' and 'val' the counts ``images``, ``images_without_faces``, ``faces``,
        ``occlusion_none``, ``occlusion_partial`` and ``occlusion_heavy``.

    Raises:
        ValueError: A parameter is out of range.
        FileExistsError: ``out_dir`` is a file, or contains files not written by this function.
    """
    parameters = dict(num_train=num_train, num_val=num_val, image_size=image_size, seed=seed)
    _check_parameters(parameters)
    out_dir = Path(out_dir).resolve()
    present = _complete_manifest(out_dir, parameters)
    if present:
        return present.summary
    _refuse_foreign(out_dir)
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with write_errors(out_dir, only_space=True), tempfile.TemporaryDirectory(
            prefix=f'.{out_dir.name}.', dir=out_dir.parent) as temporary:
        build = Path(temporary, 'new')
        build.mkdir()
        summary = _write_all(build, parameters, num_workers, show_progress)
        if out_dir.exists():
            out_dir.rename(Path(temporary, 'old'))
        build.rename(out_dir)
    return summary


def _check_parameters(parameters: Dict[str, int]) -> None:
    least = dict(num_train=0, num_val=0, image_size=_MIN_IMAGE_SIZE, seed=0)
    for name, value in parameters.items():
        if value < least[name]:
            raise ValueError(f'{name} is {value}, but must be at least {least[name]}')


def _complete_manifest(out_dir: Path, parameters: Dict[str, int]) -> Optional[Manifest]:
    """Return the manifest of a complete dataset with these parameters and this version, else None."""
    manifest = Manifest.read(out_dir)
    if not manifest or manifest.version != GENERATOR_VERSION or manifest.parameters != parameters:
        return None
    return manifest if manifest.is_complete(out_dir) else None


def _refuse_foreign(out_dir: Path) -> None:
    if out_dir.exists() and not out_dir.is_dir():
        raise FileExistsError(f'{out_dir} is a file: name a folder for the toy dataset')
    if not out_dir.exists() or not any(out_dir.iterdir()):
        return
    manifest = Manifest.read(out_dir)
    if not manifest:
        raise FileExistsError(f'{out_dir} is not empty and not a toy dataset: name a new or empty folder')
    foreign = manifest.foreign_file(out_dir)
    if foreign:
        raise FileExistsError(f'{out_dir} contains {foreign}, which is not part of the toy dataset to be replaced: '
                              'move it away or name another folder')


def _write_all(root: Path, parameters: Dict[str, int], num_workers: Optional[int],
               show_progress: bool) -> Dict[str, Dict[str, int]]:
    """Write images, annotations and manifest into an empty folder and return the summary."""
    seed, image_size = parameters['seed'], parameters['image_size']
    jobs = [ImageJob(str(root), split, index, seed, image_size)
            for split in SPLITS for index in range(parameters[f'num_{split}'])]
    images: Dict[str, List[WrittenImage]] = {split: [] for split in SPLITS}
    with _write_images(jobs, num_workers) as written:
        for job, image in zip(jobs, track(written, 'Drawing faces', len(jobs), disable=not show_progress)):
            images[job.split].append(image)
    for split in SPLITS:
        write_split(root, split, images[split])
    summary = {split: summarize(images[split]) for split in SPLITS}
    Manifest(GENERATOR_VERSION, parameters, file_sizes(root), summary).write(root)
    return summary


@contextmanager
def _write_images(jobs: Sequence[ImageJob], num_workers: Optional[int]) -> Iterator[Iterator[WrittenImage]]:
    """Write the images and iterate over them in the order of the jobs."""
    if num_workers is None:
        num_workers = 1 if len(jobs) < _SMALL_JOB else min(os.cpu_count() or 1, _MAX_WORKERS)
    if num_workers <= 1:
        yield map(write_image, jobs)
        return
    # Forking is not safe once PyTorch or OpenCV have started threads.
    context = multiprocessing.get_context('spawn')
    # OpenCV's own threads would compete with the other processes.
    with ProcessPoolExecutor(num_workers, context, initializer=cv2.setNumThreads, initargs=(1, )) as pool:
        yield pool.map(write_image, jobs, chunksize=4)
