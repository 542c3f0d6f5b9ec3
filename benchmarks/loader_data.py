"""Shared code of the contenders of ``data_loading.py``: data, order of the images, timed run, memory.

The peer's interpreter imports it too, so it uses only the standard library and PyTorch.
"""
import json
import os
import shutil
from pathlib import Path
from typing import Callable, Iterator, Tuple

from torch.utils.data import DataLoader, Dataset, Sampler


def write_data(annotations: str, images: str, folder: str, copies: int) -> None:
    """Write ``annotations.json``, ``images/`` and ``labels/`` (YOLO's text files) into ``folder``.

    Both sides keep recently loaded images in memory. Several copies of every image make the dataset larger than that
    memory, as real datasets are.

    Args:
        annotations (str): COCO JSON.
        images (str): Folder of its images.
        folder (str): Folder to write to.
        copies (int): Number of copies of every image.
    """
    data = json.loads(Path(annotations).read_text(encoding='utf-8'))
    boxes = {image['id']: [] for image in data['images']}
    for annotation in data['annotations']:
        if not annotation.get('iscrowd'):
            boxes[annotation['image_id']].append(annotation)
    labels = {category['id']: label for label, category in enumerate(data['categories'])}
    copied = dict(categories=data['categories'], images=[], annotations=[])
    for name in ('images', 'labels'):
        Path(folder, name).mkdir()
    for image in data['images']:
        source = Path(images, image['file_name'])
        lines = [_yolo_line(annotation, image, labels) for annotation in boxes[image['id']]]
        for _ in range(copies):
            index = len(copied['images'])
            shutil.copy(source, Path(folder, 'images', f'{index}{source.suffix}'))
            Path(folder, 'labels', f'{index}.txt').write_text(''.join(lines))
            copied['images'].append({**image, 'id': index, 'file_name': f'{index}{source.suffix}'})
            copied['annotations'] += [
                dict(id=len(copied['annotations']) + i, image_id=index, iscrowd=0, bbox=annotation['bbox'],
                     category_id=annotation['category_id'], area=annotation['area'])
                for i, annotation in enumerate(boxes[image['id']])
            ]
    Path(folder, 'annotations.json').write_text(json.dumps(copied))


def _yolo_line(annotation: dict, image: dict, labels: dict) -> str:
    x, y, w, h = annotation['bbox']
    width, height = image['width'], image['height']
    box = ((x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
    return f'{labels[annotation["category_id"]]} ' + ' '.join(f'{value:.6f}' for value in box) + '\n'


class OnwardSampler(Sampler):
    """Sample ``number`` indices per turn, continuing through one random permutation after the other.

    Args:
        size (int): Length of the dataset.
        number (int): Indices per turn.
    """

    def __init__(self, size: int, number: int) -> None:
        self._number = number
        self._indices = self._endless(size)

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[int]:
        return (next(self._indices) for _ in range(self._number))

    @staticmethod
    def _endless(size: int) -> Iterator[int]:
        import torch
        while True:
            yield from torch.randperm(size).tolist()


def loading_run(dataset: Dataset, collate: Callable, images_of: Callable, number: int, batch: int,
                workers: int) -> Tuple[Callable, dict]:
    """Make the timed run of a contender: load ``number`` images with PyTorch's data loader.

    Args:
        dataset (Dataset): Dataset with augmentation.
        collate (Callable): Function that makes a batch of samples.
        images_of (Callable): Function that returns the image tensor of a batch.
        number (int): Images per run.
        batch (int): Batch size.
        workers (int): Worker processes.

    Returns:
        Tuple[Callable, dict]: Run and facts for ``worker.serve``. On Linux ``loader_mb`` is the memory of the process
        and its workers (proportional set size in MB, maximum over the ends of runs), and ``cpu_ms`` is a list of
        their CPU time per image, one value per run.
    """
    loader = DataLoader(dataset, batch, sampler=OnwardSampler(len(dataset), number), num_workers=workers,
                        collate_fn=collate, persistent_workers=workers > 0)
    facts = dict(loader_mb=0., cpu_ms=[])

    def processes():
        return [os.getpid(), *(worker.pid for worker in getattr(loader._iterator, '_workers', []))]

    def run():
        # On a shared machine, CPU time says more than wall-clock time
        before = sum(map(_cpu_seconds, processes()))
        facts['shape'] = [list(images_of(data).shape) for data in loader][0]
        facts['cpu_ms'].append(1e3 * (sum(map(_cpu_seconds, processes())) - before) / number)
        facts['loader_mb'] = max(facts['loader_mb'], sum(map(_proportional_mb, processes())))

    return run, facts


def _cpu_seconds(process: int) -> float:
    path = Path(f'/proc/{process}/stat')
    if not path.exists():
        return 0.
    # Fields 14 and 15, counted behind the name, which may hold blanks
    user, system = path.read_text().rsplit(')', 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def _proportional_mb(process: int) -> float:
    path = Path(f'/proc/{process}/smaps_rollup')
    if not path.exists():
        return 0.
    return sum(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith('Pss:')) / 1024
