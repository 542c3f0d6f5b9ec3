"""Write small data sets in Ultralytics' layout for the tests."""
from pathlib import Path
from typing import Dict, Sequence

from wider_face_files import write_image


def write_yolo(folder: Path, images: Dict[str, Sequence[str]], names: Sequence[str] = ('face', ), size=(120, 80),
               more: str = '') -> Path:
    """Write ``images/``, ``labels/`` and ``data.yaml``.

    Args:
        folder (Path): Where to.
        images (Dict[str, Sequence[str]]): Lines of the label file by image, ``train/a.jpg`` or ``val/b.jpg``; None for
            an image without label file.
        names (Sequence[str]): Names of the classes.
        size (tuple): Width and height of the images.
        more (str): Further lines of the data file.

    Returns:
        Path: The data file.
    """
    for seed, (name, lines) in enumerate(images.items()):
        write_image(folder / 'images' / name, size, seed)
        if lines is not None:
            label = (folder / 'labels' / name).with_suffix('.txt')
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(''.join(f'{line}\n' for line in lines))
    listed = ''.join(f'  {number}: {name}\n' for number, name in enumerate(names))
    path = folder / 'data.yaml'
    path.write_text(f'train: images/train\nval: images/val\nnames:\n{listed}{more}')
    return path
