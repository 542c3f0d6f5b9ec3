"""Run the occlusion benchmark and write its results."""
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Union

from tqdm import tqdm

from mmseam.datasets.occlusion import KINDS, BoxSample
from mmseam.evaluation.functional.occlusion_scores import OcclusionDifference, OcclusionPoint, score_curves
from mmseam.inference.detector import load_detector

from .coverage import measure_conditions
from .curve_plots import draw_examples, plot_curves
from .curve_report import write_result, write_rows
from .curves import FRACTIONS, occlusion_curves

#: Scores that are plotted, with the label of the axis.
PLOTS = dict(recall='Recall at IoU 0.5', AP50='AP at IoU 0.5', AP='AP (IoU 0.5 to 0.95)')


class ModelFiles(NamedTuple):
    """A model to measure.

    Args:
        name (str): Its name in tables and plots.
        model (str): Config, name of a config, or exported file.
        checkpoint (str, optional): Checkpoint of a config. Defaults to None, see ``load_detector``.
    """
    name: str
    model: str
    checkpoint: Optional[str] = None


class OcclusionResult(NamedTuple):
    """Result of the benchmark.

    Args:
        points (List[OcclusionPoint]): Scores of every model.
        differences (List[OcclusionDifference]): Differences of the other models to the first.
        coverage (List[dict]): Measured fractions, see :func:`measure_conditions`.
    """
    points: List[OcclusionPoint]
    differences: List[OcclusionDifference]
    coverage: List[dict]


def name_models(texts: Sequence[str]) -> List[ModelFiles]:
    """Read models from a command line.

    Args:
        texts (Sequence[str]): ``[NAME=]CONFIG,CHECKPOINT``, ``[NAME=]CONFIG`` or ``[NAME=]EXPORTED_FILE`` each.

    Returns:
        List[ModelFiles]: The models; one without a name is named after its checkpoint, exported file or config.

    Raises:
        ValueError: Two models have the same name.
    """
    models: Dict[str, ModelFiles] = {}
    for text in texts:
        name, equals, files = text.partition('=')
        if not equals or '/' in name or Path(text).exists():
            name, files = '', text
        model, _, checkpoint = (files, '', '') if Path(files).exists() else files.partition(',')
        name = name or Path(checkpoint or model).stem
        if name in models:
            raise ValueError(f'two models are called {name!r}; write NAME={files} for one of them')
        models[name] = ModelFiles(name, model, checkpoint or None)
    return list(models.values())


def measure_robustness(models: Sequence[ModelFiles],
                       samples: Sequence[BoxSample],
                       out_dir: Union[str, Path],
                       kinds: Sequence[str] = KINDS,
                       fractions: Sequence[float] = FRACTIONS,
                       seed: int = 0,
                       score_thr: float = 0.01,
                       num_resamples: int = 1000,
                       classes: Optional[Sequence[str]] = None,
                       device: Optional[str] = None,
                       rect: bool = True,
                       example: str = '') -> OcclusionResult:
    """Measure models on covered images and write tables, plots and example pictures.

    The files are ``occlusion.json`` (everything), ``occlusion.csv`` and ``differences.csv``, plots of each score as
    ``.png`` and ``.pdf``, and ``examples.png``.

    Args:
        models (Sequence[ModelFiles]): Models; the first is the baseline of the comparisons.
        samples (Sequence[BoxSample]): Images and boxes.
        out_dir (str or Path): Folder of the results.
        kinds (Sequence[str]): Kinds of occluders. Defaults to all.
        fractions (Sequence[float]): Covered fractions. Defaults to 0, .2, .4, .6, .8.
        seed (int): Seed of occluders and resamples, at least 0. Defaults to 0.
        score_thr (float): Minimum score of detections. Defaults to 0.01.
        num_resamples (int): Number of bootstrap resamples. Defaults to 1000.
        classes (Sequence[str], optional): Names of the classes whose detections count. Defaults to None: all.
        device (str, optional): See ``load_detector``. Defaults to None.
        rect (bool): See ``load_detector``. Defaults to True.
        example (str): File name of the image in ``examples.png``. Defaults to '': the one with the largest boxes.

    Returns:
        OcclusionResult: Scores, differences and measured fractions.

    Raises:
        ValueError, OSError, ImportError: As for :func:`occlusion_curves` and ``load_detector``.
    """
    folder = Path(out_dir)
    conditions = [(kind, float(fraction)) for kind in kinds for fraction in fractions]
    folder.mkdir(parents=True, exist_ok=True)
    draw_examples(samples, conditions, seed, folder / 'examples.png', example)
    with tqdm(total=len(samples), desc='measuring the occluders', unit='image') as bar:
        coverage = measure_conditions(samples, conditions, seed, bar.update)
    curves = {}
    for files in models:
        detector = load_detector(files.model, files.checkpoint, device, rect)
        with tqdm(total=len(samples), desc=files.name, unit='image') as bar:
            curves[files.name] = occlusion_curves(detector, samples, kinds, fractions, seed, bar.update, score_thr,
                                                  classes)
    with tqdm(total=len(models), desc='resampling', unit='model') as bar:
        points, differences = score_curves(curves, num_resamples, seed, bar.update)
    protocol = dict(models=[files._asdict() for files in models], images=len(samples),
                    boxes=sum(int((~sample.ignore).sum()) for sample in samples), kinds=list(kinds),
                    fractions=list(map(float, fractions)), seed=seed, score_thr=score_thr, num_resamples=num_resamples,
                    classes=classes and list(classes), rect=rect)
    result = OcclusionResult(points, differences, coverage)
    _write(folder, protocol, result)
    return result


def _write(folder: Path, protocol: dict, result: OcclusionResult) -> None:
    write_result(folder / 'occlusion.json', protocol, result.coverage, result.points, result.differences)
    write_rows(folder / 'occlusion.csv', result.points)
    if result.differences:
        write_rows(folder / 'differences.csv', result.differences)
    for score, label in PLOTS.items():
        for suffix in ('.png', '.pdf'):
            plot_curves(result.points, score, label, folder / f'{score.lower()}{suffix}')
