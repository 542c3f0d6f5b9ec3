"""Run a contender of a benchmark in its own process, so that contenders share neither thread pools nor memory.

A contender is a function that sets something up and returns the function to time::

    def set_up(imgsz):  # in benchmarks/some_benchmark.py or benchmarks/peer/some_peer.py
        ...
        return run, facts  # run() is timed; facts is a dict for the JSON file, which any call may fill

``Contender('name', 'some_benchmark:set_up', dict(imgsz=640))`` describes it, and :class:`Worker` starts a process that
runs this file. This file imports only the standard library, so that it runs with the interpreter of a peer, which has
other packages. The process reads ``run N`` from its standard input and answers with the seconds of N runs as a JSON
list, answers ``facts`` with its facts and its peak memory, and ends when its input closes.
"""
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Callable, List, NamedTuple, Sequence

FOLDER = Path(__file__).resolve().parent


# ======================== Parent process ========================
class Contender(NamedTuple):
    """A contender: ``module:function`` of this folder and its arguments."""
    name: str
    function: str
    arguments: dict = {}
    python: str = sys.executable
    path: Sequence[str] = ()  # folders for the modules of this contender
    env: dict = {}


class ContenderError(RuntimeError):
    """A contender cannot run; the message ends with the last lines of its output."""


class Worker:
    """A running contender.

    Args:
        contender (Contender): The contender to start.
        threads (int): Number of threads of OpenMP, and thus of PyTorch.

    Raises:
        ContenderError: It failed to start, or failed later.
    """

    def __init__(self, contender: Contender, threads: int) -> None:
        env = {**os.environ, **contender.env, 'OMP_NUM_THREADS': str(threads)}
        env['PYTHONPATH'] = os.pathsep.join([*contender.path, *filter(None, [env.get('PYTHONPATH')])])
        command = [contender.python, str(FOLDER / 'worker.py'), contender.function, json.dumps(contender.arguments)]
        self.name = contender.name
        self._log = tempfile.TemporaryFile('w+', errors='replace')  # noqa: SIM115  (closed by close())
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=env)
        self._read()

    def run(self, repeats: int) -> List[float]:
        """Run ``repeats`` times; return the seconds of each run."""
        return self._ask(f'run {repeats}')

    def facts(self) -> dict:
        """Return the facts of the contender, with ``peak_mb``, ``threads`` and ``torch``."""
        return self._ask('facts')

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _ask(self, request: str):
        self._process.stdin.write(request + '\n')
        self._process.stdin.flush()
        return self._read()

    def _read(self):
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else dict(error='it ended')
        if isinstance(answer, dict) and 'error' in answer:
            self._log.seek(0)
            log = ''.join(self._log.readlines()[-15:])
            self.close()
            raise ContenderError(f'{self.name}: {answer["error"]}\n{log}'.strip())
        return answer


# ======================== Contender process ========================
def serve(function: str, arguments: dict) -> None:
    """Set up the contender and answer requests until the input closes."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # the output of libraries must not mix with the answers

    def answer(value) -> None:
        answers.write(json.dumps(value) + '\n')
        answers.flush()

    try:
        module, name = function.split(':')
        run, facts = getattr(importlib.import_module(module), name)(**arguments)
        if run is not None:
            run()  # compile and allocate now, and fail now if it cannot run
        answer('ready')
        for line in sys.stdin:
            request, *numbers = line.split()
            answer(_times(run, int(numbers[0])) if request == 'run' else {**_process_facts(), **facts})
    except Exception as error:
        traceback.print_exc()
        answer(dict(error=f'{type(error).__name__}: {error}'))


def _times(run: Callable[[], object], repeats: int) -> List[float]:
    run()  # refill the caches, which the previous contender has used
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def _process_facts() -> dict:
    torch = sys.modules.get('torch')
    return dict(peak_mb=_peak_mb(), threads=torch.get_num_threads() if torch else int(os.environ['OMP_NUM_THREADS']),
                torch=torch.__version__ if torch else 'not imported')


def _peak_mb() -> float:
    status = Path('/proc/self/status')
    if status.is_file():  # on Linux, ru_maxrss is inherited from the parent process
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) / 2**10
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10)


def matrix_product(size: int = 4096, device: str = 'cpu'):
    """Measure the machine's limit: a product of square matrices, fp32 on a CPU and fp16 on a GPU."""
    import torch
    a, b = torch.randn(2, size, size, device=device, dtype=torch.half if device == 'cuda' else torch.float)

    def run():
        torch.mm(a, b)
        if device == 'cuda':
            torch.cuda.synchronize()

    return run, dict(gflop=2e-9 * size**3)


if __name__ == '__main__':
    serve(sys.argv[1], json.loads(sys.argv[2]))
