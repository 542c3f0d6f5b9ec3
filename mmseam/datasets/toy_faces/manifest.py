"""Manifest of a toy dataset, to recognize it and to check that it is complete."""
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, Optional

MANIFEST_NAME = 'toy_faces.json'
_GENERATOR = 'mmseam toy faces'
_CACHE_SUFFIX = '.index.npz'  # cache files of WIDERFaceDataset next to the split files


@dataclass(frozen=True)
class Manifest:
    """Generator parameters and expected files of a dataset folder.

    Args:
        version (int): Version of the generator.
        parameters (dict): Parameters of the generator.
        files (dict[str, int]): Size in bytes of each file by relative path.
        summary (dict): Numbers of images and faces per split.
    """

    version: int
    parameters: Dict[str, int]
    files: Dict[str, int]
    summary: Dict[str, Dict[str, int]]

    @classmethod
    def read(cls, folder: Path) -> Optional['Manifest']:
        """Read the manifest of a folder; None if it has no valid manifest."""
        try:
            fields = json.loads((folder / MANIFEST_NAME).read_text())
            if fields.pop('generator') != _GENERATOR:
                return None
            return cls(**fields)
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def write(self, folder: Path) -> None:
        """Write the manifest into a folder."""
        text = json.dumps(dict(generator=_GENERATOR, **asdict(self)), indent=1)
        (folder / MANIFEST_NAME).write_text(text + '\n')

    def is_complete(self, folder: Path) -> bool:
        """Return whether all files exist with the expected size."""
        return all(path.is_file() and path.stat().st_size == size
                   for path, size in ((folder / name, size) for name, size in self.files.items()))

    def foreign_file(self, folder: Path) -> Optional[str]:
        """Find a file in the folder that is neither generated nor a cache; None if there is none."""
        present = file_sizes(folder)
        return next((name for name in present if name not in self.files and not name.endswith(_CACHE_SUFFIX)), None)


def file_sizes(folder: Path) -> Dict[str, int]:
    """Return the size in bytes of each file below a folder except the manifest, by POSIX path."""
    paths = sorted(path for path in folder.rglob('*') if not path.is_dir())
    sizes = {path.relative_to(folder).as_posix(): path.lstat().st_size for path in paths}
    sizes.pop(MANIFEST_NAME, None)
    return sizes
