"""Files that belong together, and are all there or none."""
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def staged_files(target: Path) -> Iterator[Path]:
    """Write into a folder beside ``target`` whose files move to it when the block ends without an error.

    Unlike :func:`mmseam.utils.atomic_write.atomic_write`, for writers that want a path, make several files, or whose
    result is checked before anybody sees it.

    Args:
        target (Path): The main file; its folder is created.

    Yields:
        Path: Where to write the main file. Files beside it move along, before it.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{target.name}.', suffix='.tmp', dir=target.parent) as folder:
        staged = Path(folder, target.name)
        yield staged
        for file in sorted(staged.parent.iterdir(), key=lambda file: file == staged):
            os.replace(file, target.with_name(file.name))
