"""Result files of the runs of a study: matches per image, small enough to be committed with the report."""
import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np

from mmseam.evaluation.functional.average_precision import COCO_IOU_THRESHOLDS, ImageMatches
from mmseam.utils.atomic_write import atomic_write

from .study_file import StudyFileError

#: Evaluation set and slice.
MatchKey = Tuple[str, str]
_MAX_BYTES = 2**28
_BITS = 1 << np.arange(len(COCO_IOU_THRESHOLDS))


@dataclass
class OcclusionCurve:
    """Results on an evaluation set with covered boxes.

    Args:
        num_gt (list[int]): Ground truths of each image.
        found (dict): Ground truths found at IoU .5 of each image, by kind and covered fraction.
        ap50 (dict): AP at IoU .5, by kind and covered fraction.
    """

    num_gt: List[int]
    found: Dict[str, Dict[str, List[int]]]
    ap50: Dict[str, Dict[str, float]]


@dataclass
class RunResult:
    """Result of a run.

    Args:
        variant (str): Name of the variant.
        seed (int): Seed.
        fingerprint (str): Digest of what the training depended on.
        evaluation (str): Digest of what the evaluation depended on.
        settings (dict): Parameters, GFLOPs, epochs, image size, versions and hardware.
        matches (dict): Matches of each class and image by evaluation set and slice; class by class.
        occlusion (dict): Occlusion curves by evaluation set.
        wider_face (dict): WIDER FACE's AP by evaluation set and subset.
    """

    variant: str
    seed: int
    fingerprint: str
    evaluation: str
    settings: Dict[str, Any]
    matches: Dict[MatchKey, List[List[ImageMatches]]]
    occlusion: Dict[str, OcclusionCurve] = field(default_factory=dict)
    wider_face: Dict[str, Dict[str, float]] = field(default_factory=dict)

    @staticmethod
    def path(folder: Path, variant: str, seed: int) -> Path:
        """Return the result file of a run; the matches are beside it, with the suffix ``.npz``."""
        return folder / f'{variant}_seed{seed}.json'

    def save(self, folder: Path) -> Path:
        """Write the result; the ``.json`` file, written last, marks it as complete.

        Args:
            folder (Path): Folder of all results.

        Returns:
            Path: The ``.json`` file.
        """
        path = self.path(folder, self.variant, self.seed)
        arrays, counts = {}, {}
        for (name, part), classes in self.matches.items():
            counts[f'{name}/{part}'] = len(classes)
            for index, matches in enumerate(classes):
                arrays.update({f'{name}/{key}/{index}': array for key, array in _pack_scores(matches).items()})
                arrays.update({f'{name}/{part}/{index}/{key}': array for key, array in _pack_slice(matches).items()})
        with atomic_write(path.with_suffix('.npz'), 'wb') as file:
            np.savez_compressed(file, **arrays)
        content = dict(
            variant=self.variant, seed=self.seed, fingerprint=self.fingerprint, evaluation=self.evaluation,
            settings=self.settings, matches=counts,
            occlusion={name: asdict(curve) for name, curve in self.occlusion.items()}, wider_face=self.wider_face)
        with atomic_write(path) as file:
            json.dump(content, file, indent=None, separators=(',', ':'), sort_keys=True)
            file.write('\n')
        return path

    @classmethod
    def load(cls, path: Path) -> 'RunResult':
        """Read a result.

        Args:
            path (Path): The ``.json`` file.

        Returns:
            RunResult: The result.

        Raises:
            StudyFileError: A file is missing or damaged.
        """
        try:
            content = json.loads(_read(path))
            with np.load(io.BytesIO(_read(path.with_suffix('.npz'))), allow_pickle=False) as arrays:
                matches = {tuple(key.split('/')): [_unpack(arrays, *key.split('/'), index) for index in range(number)]
                           for key, number in content['matches'].items()}
            curves = {name: OcclusionCurve(**curve) for name, curve in content['occlusion'].items()}
            return cls(matches=matches, occlusion=curves, wider_face=content.get('wider_face', {}), **{
                key: content[key] for key in ('variant', 'seed', 'fingerprint', 'evaluation', 'settings')})
        except OSError as error:
            raise StudyFileError(f'{path}: cannot be read: {error}; delete it to repeat the run') from None
        except Exception as error:  # NumPy and zipfile raise many kinds for damaged files
            raise StudyFileError(f'{path}: damaged result ({error!r}); delete it to repeat the run') from None


def _read(path: Path) -> bytes:
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f'larger than {_MAX_BYTES} bytes')
    return path.read_bytes()


def _pack_scores(matches: List[ImageMatches]) -> Dict[str, np.ndarray]:
    """Join the scores of all images, which all slices of a set share."""
    return dict(
        scores=np.concatenate([match.scores for match in matches]).astype(np.float32),
        detections=np.array([len(match.scores) for match in matches], np.int32))


def _pack_slice(matches: List[ImageMatches]) -> Dict[str, np.ndarray]:
    """Join the matches of all images; the ten thresholds are the bits of a number."""
    return dict(
        true_positive=np.concatenate([_BITS @ match.true_positive for match in matches]).astype(np.uint16),
        ignored=np.concatenate([_BITS @ match.ignored for match in matches]).astype(np.uint16),
        num_gt=np.array([match.num_gt for match in matches], np.int32))


def _unpack(arrays: Any, name: str, part: str, index: int) -> List[ImageMatches]:
    values = {key: arrays[f'{name}/{key}/{index}'] for key in ('scores', 'detections')}
    values.update({key: arrays[f'{name}/{part}/{index}/{key}'] for key in ('true_positive', 'ignored', 'num_gt')})
    ends = np.cumsum(values['detections'])
    if (values['detections'] < 0).any() or len({len(values[key]) for key in ('scores', 'true_positive', 'ignored')}
                                               | {ends[-1]}) > 1:
        raise ValueError('numbers of detections do not agree')
    bits = {key: (values[key][None] & _BITS[:, None]) > 0 for key in ('true_positive', 'ignored')}
    parts = [slice(end - number, end) for end, number in zip(ends, values['detections'])]
    none = np.zeros((len(_BITS), 0), bool)
    return [ImageMatches(values['scores'][part].astype(float), bits['true_positive'][:, part], bits['ignored'][:, part],
                         none, int(number)) for part, number in zip(parts, values['num_gt'])]
