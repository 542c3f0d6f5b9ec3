"""Runs fuzz targets in processes of their own, with little memory, and prints a table.

``make fuzz`` runs all targets for ten minutes: ``python tests/fuzz/runner.py --seconds 600``. An input that ends in
anything but the documented error is kept in ``--out``; give it to ``--replay`` to see the traceback.
"""
import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional

#: Of one call. The first are of computing, which the load of the machine does not change; twelve times as long on the
#: clock ends a call that waits.
MAX_SECONDS, MAX_BYTES = 10, 2**30
_HYPOTHESIS_EXAMPLES = 20


class Unexpected(Exception):
    """Something else came out of a reader than what it documents."""


class Session:
    """Feeds one target and counts what comes out.

    Args:
        target (Target): What is fuzzed.
        folder (Path): For the files of the target; the current input lies beside it, ``input``.
    """

    def __init__(self, target, folder: Path) -> None:
        self._target = target
        self._input = folder / 'input'
        self._prepared = target.prepare(folder / 'files')
        self.outcomes: Counter = Counter()
        self.max_seconds = 0.

    @property
    def inputs(self) -> int:
        """int: How many inputs there were."""
        return sum(self.outcomes.values())

    def feed(self, content: bytes) -> None:
        """Call the reader on an input."""
        self._input.write_bytes(content)
        start = time.process_time()
        # Their signals kill the process, even in C code
        signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, 12 * MAX_SECONDS)
        try:
            self._target.read(content, self._prepared)
            outcome = 'read'
        except self._target.errors as error:
            outcome = type(error).__name__
        except BaseException as error:
            raise Unexpected(f'{type(error).__name__}: {str(error)[:300]}\n{traceback.format_exc(limit=-4)}') from error
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.max_seconds = max(self.max_seconds, time.process_time() - start)
        self.outcomes[outcome] += 1


def fuzz(target, session: Session, seed: int, inputs: Optional[int], seconds: Optional[float]) -> None:
    """Feed seeds first, which must be read, then mutations and what hypothesis makes, in turns."""
    for content in target.seeds:
        session.feed(content)
    if set(session.outcomes) != {'read'}:
        raise Unexpected(f'the valid inputs are refused: {dict(session.outcomes)}')
    generator = random.Random(f'{target.name} {seed}')
    end = time.monotonic() + (seconds or float('inf'))
    while (inputs is None or session.inputs < inputs) and time.monotonic() < end:
        for _ in range(_HYPOTHESIS_EXAMPLES):
            session.feed(target.mutate(generator))
        if target.strategy is not None:
            _feed_generated(target, session, generator.randrange(2**32))


def _feed_generated(target, session: Session, seed: int) -> None:
    import hypothesis

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=_HYPOTHESIS_EXAMPLES, database=None, deadline=None,
                         phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(target.strategy)
    def feed(content):
        session.feed(content)

    feed()


def run_target(target, out: Path, **options) -> Dict:
    """Fuzz a target in a child process.

    Args:
        target (Target): What is fuzzed.
        out (Path): Folder for an input that fails.
        **options: Of :func:`fuzz`.

    Returns:
        dict: A row of the table: ``target``, ``inputs``, ``outcomes``, ``max_seconds``, ``peak_mb``, ``problem``.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child = os.fork()
        if not child:
            _run_child(target, folder, options)
        status = os.waitpid(child, 0)[1]
        report = folder / 'report.json'
        row = json.loads(report.read_text()) if report.exists() else dict(
            target=target.name, inputs=0, outcomes={}, max_seconds=0, peak_mb=0,
            problem=f'the process was ended by {signal.Signals(os.WTERMSIG(status)).name}')
        if row['problem']:
            out.mkdir(parents=True, exist_ok=True)
            kept = out / f'{target.name.replace(" ", "_")}.input'
            if (folder / 'input').exists():
                shutil.copy(folder / 'input', kept)
            row['problem'] += f'\ninput: {kept}'
    return row


def _run_child(target, folder: Path, options: dict) -> None:
    """Fuzz under limits, report to a file, end without the parent's exit handlers."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MAX_BYTES, resource.RLIM_INFINITY))
    warnings.simplefilter('ignore')
    # OpenCV and libjpeg complain about every damaged image
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    problem, session = '', Session(target, folder)
    try:
        fuzz(target, session, **options)
    except BaseException as error:
        problem = str(error) if isinstance(error, Unexpected) else traceback.format_exc()
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    report = dict(target=target.name, inputs=session.inputs, outcomes=dict(session.outcomes),
                  max_seconds=round(session.max_seconds, 2), peak_mb=round(peak), problem=problem)
    (folder / 'report.json').write_text(json.dumps(report))
    os._exit(0)


def table(rows: List[Dict]) -> str:
    """Format the rows as text, with the problems below."""
    lines = [f'{"target":24}{"inputs":>9}{"max s":>8}{"peak MB":>9}  outcomes']
    for row in rows:
        outcomes = ', '.join(f'{name} {count}' for name, count in sorted(row['outcomes'].items()))
        lines.append(f'{row["target"]:24}{row["inputs"]:>9,}{row["max_seconds"]:>8.2f}{row["peak_mb"]:>9,}  {outcomes}')
    lines += [f'\n{row["target"]}: {row["problem"]}' for row in rows if row['problem']]
    return '\n'.join(lines)


def all_targets() -> list:
    """Every reader of files from strangers."""
    import data_targets  # takes seconds: not before the options are read
    import image_targets
    import model_targets
    import own_data_targets
    return data_targets.TARGETS + image_targets.TARGETS + model_targets.TARGETS + own_data_targets.TARGETS


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, help='in total, divided among the targets')
    parser.add_argument('--inputs', type=int, help='of each target; with them and a seed, a run can be repeated')
    parser.add_argument('--seed', type=int, default=0, help='defaults to 0')
    parser.add_argument('--target', nargs='+', help='names of targets; defaults to all')
    parser.add_argument('--out', type=Path, default=Path('fuzz_failures'), help='folder for inputs that fail')
    parser.add_argument('--json', type=Path, help='write the table as json too')
    parser.add_argument('--replay', type=Path, help='read this input by the one --target, in this process')
    args = parser.parse_args(argv)
    if not (args.seconds or args.inputs or args.replay):
        parser.error('give --seconds or --inputs')
    return args


def main(argv=None) -> int:
    args = parse_args(argv)
    targets = all_targets()
    chosen = [target for target in targets if args.target is None or target.name in args.target]
    if args.replay:
        target, = chosen
        with tempfile.TemporaryDirectory() as folder:
            target.read(args.replay.read_bytes(), target.prepare(Path(folder)))
        return 0
    seconds = args.seconds / len(chosen) if args.seconds else None
    rows = []
    for target in chosen:
        rows.append(run_target(target, args.out, seed=args.seed, inputs=args.inputs, seconds=seconds))
        print(table(rows[-1:]).split('\n', 1)[1], flush=True)
    print('\n' + table(rows))
    if args.json:
        args.json.write_text(json.dumps(rows))
    return int(any(row['problem'] for row in rows))


if __name__ == '__main__':
    sys.exit(main())
