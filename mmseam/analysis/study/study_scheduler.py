"""Run the trainings of a study on the devices of this machine, or hand them to Slurm."""
import os
import queue
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from tqdm import tqdm

from .study_description import Study
from .study_file import StudyFileError
from .study_runs import run

Run = Tuple[str, int]


class StudyRunError(RuntimeError):
    """Runs that failed; the message names their logs."""


def default_devices() -> List[str]:
    """Return the GPUs of this machine by index, or ``cpu``."""
    return [str(index) for index in range(torch.cuda.device_count())] or ['cpu']


def run_here(study: Study, folder: Path, runs: Sequence[Run], devices: Optional[Sequence[str]] = None) -> None:
    """Run trainings as processes, one at a time on each device.

    Args:
        study (Study): The study.
        folder (Path): Folder of all runs.
        runs (Sequence): Variants and seeds, in this order.
        devices (Sequence[str], optional): Indices of GPUs, or 'cpu'. Defaults to None: all GPUs, or the CPU.

    Raises:
        StudyRunError: A run failed; all others have finished.
    """
    waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
    for item in runs:
        waiting.put(item)
    failed: Dict[Run, Path] = {}
    with ExitStack() as stack, tqdm(total=len(runs), desc='runs', unit='run') as bar:
        threads = [threading.Thread(target=_serve, args=(study, folder, device, waiting, failed, bar, stack))
                   for device in devices or default_devices()]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:  # the running trainings got the signal, too; start no more
            _drain(waiting)
            raise
    _raise_failed(failed)


def _drain(waiting: 'queue.SimpleQueue[Run]') -> None:
    while True:
        try:
            waiting.get_nowait()
        except queue.Empty:
            return


def _serve(study: Study, folder: Path, device: str, waiting: 'queue.SimpleQueue[Run]', failed: Dict[Run, Path],
           bar: tqdm, stack: ExitStack) -> None:
    """Run trainings on one device until none is left."""
    while True:
        try:
            variant, seed = item = waiting.get_nowait()
        except queue.Empty:
            return
        bar.set_postfix_str(f'{variant}, seed {seed}')
        log = folder / 'logs' / f'{variant}_seed{seed}.txt'
        if _run_process(study, folder, item, device, log, stack):
            failed[item] = log
        bar.update()


def _run_process(study: Study, folder: Path, item: Run, device: str, log: Path, stack: ExitStack) -> int:
    """Run one training in a process with its output in a log file; return the exit status."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, '-m', f'{__package__}.study_worker', str(study.file), str(folder), *map(str, item)]
    visible = {} if device == 'cpu' else {'CUDA_VISIBLE_DEVICES': device}
    with open(log, 'a', encoding='utf-8') as file:
        # The pipe closes when this process ends, however it does, and the worker notices
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT,
                                   env={**os.environ, **visible})
        stack.callback(process.terminate)
        return process.wait()


def _raise_failed(failed: Dict[Run, Path]) -> None:
    if failed:
        names = '; '.join(f'{variant}, seed {seed}: {_last_line(log)} (see {log})'
                          for (variant, seed), log in failed.items())
        raise StudyRunError(f'{len(failed)} runs failed: {names}')


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding='utf-8', errors='replace').splitlines() if line.strip()]
    return lines[-1] if lines else 'no output'


def run_on_slurm(study: Study, folder: Path, runs: Sequence[Run], partition: str, hours: float) -> None:
    """Run trainings as an array of Slurm jobs with one GPU each, using submitit; an interrupt cancels them.

    Args:
        study (Study): The study.
        folder (Path): Folder of all runs, on a file system that all nodes share.
        runs (Sequence): Variants and seeds.
        partition (str): Slurm partition; ``local`` runs processes on this machine, to try it out.
        hours (float): Time limit of a job.

    Raises:
        StudyFileError: submitit is not installed.
        StudyRunError: A run failed; all others have finished.
    """
    try:
        import submitit  # optional
    except ImportError:
        raise StudyFileError('--slurm needs submitit: pip install "mmseam[study]"') from None
    local = partition == 'local'
    executor = submitit.AutoExecutor(folder / 'logs' / 'slurm', cluster='local' if local else 'slurm')
    executor.update_parameters(name='study', timeout_min=round(60 * hours), tasks_per_node=1,
                               **({} if local else dict(slurm_partition=partition, gpus_per_node=1)))
    variants, seeds = zip(*runs)
    jobs = executor.map_array(run, [study] * len(runs), [folder] * len(runs), variants, seeds)
    failed = {}
    try:
        for item, job in zip(runs, tqdm(jobs, desc='runs', unit='run')):
            if job.exception() is not None:
                failed[item] = Path(job.paths.stderr)
    except KeyboardInterrupt:  # as run_here does; the same command resumes them
        for job in jobs:
            job.cancel(check=False)
        raise
    _raise_failed(failed)
