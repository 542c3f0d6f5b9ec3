"""Train and evaluate one run of a study, reusing what an earlier process finished."""
import importlib.util
import platform
import shutil
import sys
import time
from functools import cache
from pathlib import Path
from typing import Callable, List

import torch
from mmengine.config import Config

from mmseam.analysis.benchmark.measure import device_name
from mmseam.analysis.complexity import model_complexity
from mmseam.engine.training import train
from mmseam.engine.work_dir_lock import WorkDirInUseError
from mmseam.inference.detector import Detector, load_detector
from mmseam.version import __version__

from .study_config import fingerprint, model_config, run_config
from .study_description import Study
from .study_evaluation import evaluation_digest, occlusion_of_all, score_all
from .study_file import StudyFileError
from .study_latency import study_device
from .study_results import RunResult

#: Maximum wait until the process of an earlier, killed study has released the work folder.
_LOCK_SECONDS = 120


def results_folder(folder: Path) -> Path:
    """Return the folder of the result files."""
    return folder / 'results'


def import_modules(study: Study) -> List[Path]:
    """Import the Python files of a study, which register layers.

    Args:
        study (Study): The study.

    Returns:
        list[Path]: The files.

    Raises:
        StudyFileError: A file is missing.
    """
    files = [study.file.parent / module for module in study.modules]
    for file in files:
        if not file.is_file():
            raise StudyFileError(f'{study.file}: modules: there is no file {file}')
        if file.stem not in sys.modules:
            spec = importlib.util.spec_from_file_location(file.stem, file)
            sys.modules[file.stem] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
    return files


def run(study: Study, folder: Path, variant: str, seed: int) -> Path:
    """Train and evaluate a variant with a seed, or resume where an earlier process stopped.

    Args:
        study (Study): The study.
        folder (Path): Folder of all runs.
        variant (str): Name of the variant.
        seed (int): Seed.

    Returns:
        Path: The result file.
    """
    modules = import_modules(study)
    cfg = run_config(study, variant, seed, folder)
    digest, evaluated = fingerprint(cfg, modules), evaluation_digest(study)
    path = RunResult.path(results_folder(folder), variant, seed)
    if path.is_file() and _is_current(path, digest, evaluated):
        return path
    work_dir = folder / 'runs' / f'{variant}_seed{seed}'
    checkpoint = _train(cfg, work_dir, digest, study.epochs)

    @cache  # sets of one size share a detector
    def load(side: int) -> Detector:
        model_config(study, variant, side).dump(str(work_dir / f'config_{side}.py'))
        # Square inputs, as in tools/test.py
        return load_detector(work_dir / f'config_{side}.py', checkpoint, rect=False)

    scores = score_all(study, load)
    return RunResult(
        variant, seed, digest, evaluated, _settings(study, cfg), scores.matches, occlusion_of_all(study, load),
        scores.wider_face).save(results_folder(folder))


def _is_current(path: Path, digest: str, evaluated: str) -> bool:
    result = RunResult.load(path)
    return (result.fingerprint, result.evaluation) == (digest, evaluated)


def _settings(study: Study, cfg: Config) -> dict:
    """Record what a reader of the result needs to know about the run."""
    model = model_complexity(cfg, (study.image_size, study.image_size))
    return dict(
        epochs=study.epochs, image_size=study.image_size, batch_size=study.batch_size, mmseam=__version__,
        torch=torch.__version__.split('+')[0], python=platform.python_version(), device=device_name(study_device()),
        parameters=model.parameters, gflops=model.gflops)


# ======================== Training ========================
def _train(cfg: Config, work_dir: Path, digest: str, epochs: int) -> Path:
    """Train unless the last checkpoint exists; a different fingerprint starts from scratch."""
    mark, checkpoint = work_dir / 'fingerprint.txt', work_dir / f'epoch_{epochs}.pth'
    if work_dir.is_dir() and (not mark.is_file() or mark.read_text() != digest):
        shutil.rmtree(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest)
    cfg.work_dir = str(work_dir)
    if not checkpoint.is_file():
        cfg.resume = 'auto'
        _wait_for_lock(lambda: train(cfg))
    return checkpoint


def _wait_for_lock(call: Callable[[], object]) -> None:
    """Call a function that needs the work folder, which a process that is ending may still hold."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            call()
            return
        except WorkDirInUseError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
