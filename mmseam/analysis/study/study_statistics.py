"""Numbers of a study's report: means and spread over seeds, and paired differences to the baseline and to controls.

Two sources of randomness are kept apart. Seeds: two trainings of one config differ; the interval of the mean of the
seed-wise differences is Student's t. Images: another test set would give another AP; that interval is a paired
bootstrap, in which every resample draws the same images for all runs. A third interval resamples seeds and images
together. All three should exclude 0 before an effect is claimed.
"""
import math
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from scipy import stats
from tqdm import tqdm

from mmseam.evaluation.functional.average_precision import average_precision, recall, resampled_weights
from mmseam.evaluation.functional.wider_face.bootstrap import percentile_interval

from .study_data import ALL
from .study_description import Study
from .study_results import MatchKey, OcclusionCurve, RunResult

#: AP is averaged over all IoU thresholds; the others are at .5. `recall` counts detections of any score.
METRICS = ('AP', 'AP50', 'recall50')
POWER = 0.8
NUM_RESAMPLES = 1000
_TABLES = ('estimates', 'differences', 'control_differences')


@dataclass(frozen=True)
class Estimate:
    """A metric of a variant.

    Args:
        mean (float): Mean over seeds.
        spread (float, optional): Standard deviation over seeds; None with one seed.
        over_images (tuple): 95 % interval of the bootstrap over images.
        seeds (dict): Value by seed.
    """

    mean: float
    spread: Optional[float]
    over_images: Tuple[float, float]
    seeds: Dict[int, float]


@dataclass(frozen=True)
class Difference:
    """A metric of a variant minus that of the baseline or of a control, averaged over the seeds that both have.

    Args:
        mean (float): Mean of the seed-wise differences.
        over_seeds (tuple, optional): 95 % interval of Student's t over seeds; None with one seed.
        over_images (tuple): 95 % interval of the paired bootstrap over images.
        over_both (tuple, optional): 95 % interval of resampled seeds and images; None with one seed.
        detectable (float, optional): True difference that this number of seeds would have found with a power of 80 %
            at a level of 5 %, given the spread of the differences; None with one seed.
        seeds (dict): Difference by seed.
    """

    mean: float
    over_seeds: Optional[Tuple[float, float]]
    over_images: Tuple[float, float]
    over_both: Optional[Tuple[float, float]]
    detectable: Optional[float]
    seeds: Dict[int, float]


Runs = Mapping[Tuple[str, int], RunResult]


# ======================== Tables ========================
def summarize(study: Study, runs: Runs, num_resamples: int = NUM_RESAMPLES, progress: bool = True) -> Dict[str, Any]:
    """Compute all numbers of the report.

    Args:
        study (Study): The study.
        runs (Mapping): Results by variant and seed; missing runs are left out.
        num_resamples (int): Resamples of the bootstrap. Defaults to 1000.
        progress (bool): Whether to show a progress bar. Defaults to True.

    Returns:
        dict: ``estimates`` and ``differences`` by variant, set, slice and metric; ``occlusion_…`` of both by variant,
        set, metric (``recall50`` or ``AP50``), kind of occluder and covered fraction, and with the metric ``…_change``
        from the smallest to the largest fraction; if a set has WIDER FACE's ground truth, ``wider_face_…`` of both by
        variant, set and subset. Each kind has ``control_differences``, too, by variant, control and the same keys.
        Plain numbers for JSON.
    """
    keys = [(name, part) for name, item in study.evaluate.items() for part in (ALL, *item.slices)
            if any((name, part) in result.matches for result in runs.values())]
    report: Dict[str, Any] = {f'{kind}{table}': {} for kind in ('', 'occlusion_') for table in _TABLES}
    for name, part in tqdm(keys, desc='bootstrap', unit='slice', disable=not progress):
        samples = {run: Samples.of(result, (name, part), num_resamples) for run, result in runs.items()
                   if (name, part) in result.matches}
        places = {metric: (name, part, metric) for metric in METRICS}
        _compare(study, samples, places, report, '')
    for name in study.evaluate:
        samples = {run: Samples.of_occlusion(result.occlusion[name], num_resamples) for run, result in runs.items()
                   if name in result.occlusion}
        metrics = next(iter(samples.values())).values if samples else ()
        places = {metric: (name, *metric.split('/')) for metric in metrics}
        _compare(study, samples, places, report, 'occlusion_')
    for name in study.evaluate:
        samples = {run: Samples.without_resamples(result.wider_face[name]) for run, result in runs.items()
                   if name in result.wider_face}
        if samples:
            places = {subset: (name, subset) for subset in next(iter(samples.values())).values}
            _compare(study, samples, places, report, 'wider_face_')
    return report


def _compare(study: Study, samples: 'AllSamples', places: Mapping[str, tuple], report: Dict[str, Any],
             kind: str) -> None:
    """Add the metrics of all variants to the tables of a kind."""
    estimates, differences, to_controls = (report.setdefault(f'{kind}{table}', {}) for table in _TABLES)
    for variant, description in study.variants.items():
        for metric, place in places.items():
            _put(estimates, (variant, *place), estimate(samples, variant, metric))
            if variant != study.baseline:
                _put(differences, (variant, *place), difference(samples, study.baseline, variant, metric))
            for control in description.controls:
                _put(to_controls, (variant, control, *place), difference(samples, control, variant, metric))


def _put(table: dict, place: Sequence[str], value: Any) -> None:
    if value is not None:
        for key in place[:-1]:
            table = table.setdefault(key, {})
        table[place[-1]] = asdict(value)


# ======================== One metric ========================
@dataclass(frozen=True)
class Samples:
    """Metrics of a run on the complete set and on each resample.

    Args:
        values (dict): Value by metric.
        resampled (dict): Values (B,) by metric.
    """

    values: Dict[str, float]
    resampled: Dict[str, np.ndarray]

    @classmethod
    def of(cls, result: RunResult, key: MatchKey, num_resamples: int) -> 'Samples':
        """Compute the metrics, averaged over the classes that occur."""
        per_class = []
        for matches in result.matches[key]:
            weights = resampled_weights(len(matches), num_resamples)
            rows = np.vstack([np.ones((1, len(matches)), int), weights])
            per_class.append(np.stack(_metrics(average_precision(matches, rows), recall(matches, rows))))
        with np.errstate(all='ignore'):
            values = np.nanmean(per_class, axis=0) if len(per_class) > 1 else per_class[0]
        return cls({metric: float(row[0]) for metric, row in zip(METRICS, values)},
                   {metric: row[1:] for metric, row in zip(METRICS, values)})

    @classmethod
    def without_resamples(cls, values: Dict[str, float]) -> 'Samples':
        """Take metrics that are not resampled over images."""
        return cls(dict(values), {metric: np.full(1, np.nan) for metric in values})

    @classmethod
    def of_occlusion(cls, curve: OcclusionCurve, num_resamples: int) -> 'Samples':
        """Compute ``recall50/kind/fraction``, ``AP50/kind/fraction``, and both for the mean of all kinds.

        With the suffix ``_change``, the value of the largest fraction minus that of the smallest: what covering costs.
        The AP is not resampled over images.
        """
        num_gt = np.array(curve.num_gt)
        weights = resampled_weights(len(num_gt), num_resamples)
        rows = np.vstack([np.ones((1, len(num_gt)), int), weights])
        unknown = np.full(num_resamples, np.nan)
        values = {}
        for kind, conditions in curve.found.items():
            for fraction, found in conditions.items():
                values[f'recall50/{kind}/{fraction}'] = rows @ np.array(found) / (rows @ num_gt)
                values[f'AP50/{kind}/{fraction}'] = np.append(curve.ap50[kind][fraction], unknown)
        fractions = list(next(iter(curve.found.values())))
        for fraction in fractions:
            for metric in ('recall50', 'AP50'):
                values[f'{metric}/mean/{fraction}'] = np.mean(
                    [values[f'{metric}/{kind}/{fraction}'] for kind in curve.found], axis=0)
        values.update(_changes(values, [*curve.found, 'mean'], fractions))
        return cls({key: float(row[0]) for key, row in values.items()}, {key: row[1:] for key, row in values.items()})


def _changes(values: Mapping[str, np.ndarray], kinds: Sequence[str], fractions: Sequence[str]) -> Dict[str, np.ndarray]:
    first, last = min(fractions, key=float), max(fractions, key=float)
    if first == last:
        return {}
    return {f'{metric}_change/{kind}/{change_name(first, last)}':
            values[f'{metric}/{kind}/{last}'] - values[f'{metric}/{kind}/{first}']
            for kind in kinds for metric in ('recall50', 'AP50')}


def change_name(first: str, last: str) -> str:
    """Return the key of the change between two covered fractions."""
    return f'{first} → {last}'


def _metrics(precision: np.ndarray, found: np.ndarray) -> Tuple[np.ndarray, ...]:
    return precision.mean(1), precision[:, 0], found[:, 0]


AllSamples = Mapping[Tuple[str, int], Samples]


def estimate(samples: AllSamples, variant: str, metric: str) -> Optional[Estimate]:
    """Compute mean and spread of a metric over the seeds of a variant; None without a run."""
    own = {seed: item for (name, seed), item in samples.items() if name == variant}
    if not own:
        return None
    seeds = {seed: item.values[metric] for seed, item in own.items()}
    values = list(seeds.values())
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None,
                    percentile_interval(np.mean([item.resampled[metric] for item in own.values()], axis=0)), seeds)


def difference(samples: AllSamples, other: str, variant: str, metric: str) -> Optional[Difference]:
    """Compute the paired difference of a variant to the baseline or a control; None without a common seed."""
    seeds = [seed for (name, seed) in samples if name == variant and (other, seed) in samples]
    if not seeds:
        return None
    values = np.array([samples[variant, seed].values[metric] - samples[other, seed].values[metric]
                       for seed in seeds])
    resampled = np.stack([samples[variant, seed].resampled[metric] - samples[other, seed].resampled[metric]
                          for seed in seeds])
    several = len(seeds) > 1
    return Difference(
        mean=float(values.mean()),
        over_seeds=_student_interval(values) if several else None,
        over_images=percentile_interval(resampled.mean(0)),
        over_both=percentile_interval(_resample_seeds(resampled)) if several else None,
        detectable=_detectable(values) if several else None,
        seeds=dict(zip(seeds, values.tolist())))


def _student_interval(values: np.ndarray) -> Tuple[float, float]:
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _resample_seeds(resampled: np.ndarray) -> np.ndarray:
    """Draw the seeds of each resample of the images with replacement, (S, B) to (B,)."""
    number, resamples = resampled.shape
    drawn = np.random.default_rng(0).integers(number, size=(number, resamples))
    return np.take_along_axis(resampled, drawn, axis=0).mean(0)


def _detectable(values: np.ndarray) -> float:
    degrees = len(values) - 1
    factor = stats.t.ppf(0.975, degrees) + stats.t.ppf(POWER, degrees)
    return float(factor * values.std(ddof=1) / math.sqrt(len(values)))


def load_runs(study: Study, results: Sequence[RunResult]) -> Dict[Tuple[str, int], RunResult]:
    """Select the results of a study's variants and seeds."""
    wanted = set(study.runs)
    chosen: List[RunResult] = [result for result in results if (result.variant, result.seed) in wanted]
    return {(result.variant, result.seed): result for result in chosen}
