"""Run a study and write its report."""
import json
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

from mmseam.analysis.benchmark.measure import device_name
from mmseam.analysis.study import Study, StudyFileError, read_study
from mmseam.analysis.study.study_latency import measure_variants, study_device
from mmseam.analysis.study.study_report import write_report
from mmseam.analysis.study.study_results import RunResult
from mmseam.analysis.study.study_runs import import_modules, results_folder
from mmseam.analysis.study.study_scheduler import StudyRunError, run_here, run_on_slurm
from mmseam.analysis.study.study_statistics import summarize
from mmseam.utils.atomic_write import atomic_write

__all__ = ['StudyFileError', 'StudyRunError', 'report_study', 'run_study']

_LATENCY = 'latency.json'


def run_study(file: Union[str, Path], work_dir: Optional[str] = None, only: Optional[Sequence[str]] = None,
              devices: Optional[Sequence[str]] = None, slurm: Optional[str] = None, hours: float = 24) -> None:
    """Train and evaluate the runs of a study that are not done.

    Args:
        file (str or Path): Study file.
        work_dir (str, optional): Folder of all runs. Defaults to None: ``work_dirs/STUDY``.
        only (Sequence[str], optional): ``VARIANT`` or ``VARIANT:SEED``. Defaults to None: all, the first seed of all
            variants first.
        devices (Sequence[str], optional): Indices of GPUs, or 'cpu'. Defaults to None: all GPUs, or the CPU.
        slurm (str, optional): Slurm partition. Defaults to None: this machine.
        hours (float): Time limit of a Slurm job. Defaults to 24.

    Raises:
        StudyFileError: The study file is invalid.
        StudyRunError: A run failed.
    """
    study = read_study(file)
    import_modules(study)
    folder = _folder(study, work_dir)
    runs = _chosen(study, only) if only else study.runs
    if slurm:
        run_on_slurm(study, folder, runs, slurm, hours)
    else:
        run_here(study, folder, runs, devices)


def report_study(file: Union[str, Path], work_dir: Optional[str] = None, results: Optional[str] = None,
                 num_resamples: int = 1000) -> List[Path]:
    """Write the report of a study.

    Args:
        file (str or Path): Study file.
        work_dir (str, optional): Folder of all runs, which gets the report. Defaults to None: ``work_dirs/STUDY``.
        results (str, optional): Folder of result files. Defaults to None: that of the work folder.
        num_resamples (int): Resamples of the images. Defaults to 1000.

    Returns:
        list[Path]: The files of the report.

    Raises:
        StudyFileError: The study file or a result is invalid, or there is no result.
    """
    study = read_study(file, require_environment=False)
    folder = _folder(study, work_dir)
    source = Path(results) if results else results_folder(folder)
    paths = {run: RunResult.path(source, *run) for run in study.runs}
    runs = {run: RunResult.load(path) for run, path in paths.items() if path.is_file()}
    if not runs:
        raise StudyFileError(f'{source}: no result of {study.file}')
    return write_report(study, summarize(study, runs, num_resamples), _models(study, runs, source), folder / 'report')


def _folder(study: Study, work_dir: Optional[str]) -> Path:
    return Path(work_dir or Path('work_dirs', study.file.stem)).resolve()


def _chosen(study: Study, only: Sequence[str]) -> List[Tuple[str, int]]:
    """Return the runs that ``VARIANT`` or ``VARIANT:SEED`` name."""
    chosen = []
    for item in only:
        runs = [(variant, seed) for variant, seed in study.runs if item in (variant, f'{variant}:{seed}')]
        if not runs:
            raise StudyFileError(f'--only {item}: the study has the variants {", ".join(study.variants)} and the seeds '
                                 f'{", ".join(map(str, study.seeds))}')
        chosen += runs
    return chosen


def _models(study: Study, runs: Dict[Tuple[str, int], RunResult], source: Path) -> Dict[str, dict]:
    """Collect parameters and GFLOPs from the results; the latency is measured once and kept beside them."""
    models = {variant: {key: result.settings[key] for key in ('parameters', 'gflops')}
              for (variant, _), result in runs.items()}
    path = source / _LATENCY
    latency = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else None
    if latency is None or not set(models) <= set(latency['milliseconds']):
        import_modules(study)
        latency = dict(device=device_name(study_device()), image_size=study.image_size,
                       milliseconds=measure_variants(study))
        with atomic_write(path) as file:
            json.dump(latency, file, indent=1)
    for variant, model in models.items():
        model.update(latency_ms=latency['milliseconds'][variant], latency_device=latency['device'])
    return models
