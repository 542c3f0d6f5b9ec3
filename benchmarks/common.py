"""Shared code of the benchmarks: alternating rounds, options, table, JSON and goals.

``compare`` starts a process for each contender (see ``worker.py``), runs them in turns, A B C A B C ..., and returns
the times.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from worker import Contender, ContenderError, Worker

PAUSE = 0.3  # seconds until the spinning threads of the previous contender are asleep


# ======================== Rounds ========================
class Comparison(NamedTuple):
    """Seconds by contender, round and repeat; the facts of each; and the errors of those that could not run."""
    seconds: Dict[str, List[List[float]]]
    facts: Dict[str, dict]
    failed: Dict[str, str]

    def median(self, name: str) -> float:
        """Median seconds over all rounds."""
        return statistics.median(sum(self.seconds[name], []))

    def ratio(self, name: str, reference: str) -> Optional[dict]:
        """Divide the time of ``name`` by that of ``reference``: median, minimum and maximum over the rounds.

        The ratio of a round is computed from the medians of that round, so that a machine that slows down affects
        both. None if one of the two did not run.
        """
        if name not in self.seconds or reference not in self.seconds:
            return None
        ratios = [statistics.median(own) / statistics.median(other)
                  for own, other in zip(self.seconds[name], self.seconds[reference])]
        return dict(median=statistics.median(ratios), min=min(ratios), max=max(ratios))


def prepare(function: str, arguments: dict, threads: int) -> None:
    """Call a function in its own process for its side effects, such as files; it returns None, {}.

    Raises:
        ContenderError: The function failed.
    """
    print(f'  {function} ...', file=sys.stderr)
    Worker(Contender(function, function, arguments), threads).close()


def compare(contenders: Sequence[Contender], rounds: int, repeats: int, threads: int) -> Comparison:
    """Start all contenders, then run them in turns, one at a time.

    Args:
        contenders (Sequence[Contender]): What to compare; one that cannot run is reported and left out.
        rounds (int): Turns of each contender.
        repeats (int): Timed runs per turn, after one that is not timed.
        threads (int): See :class:`Worker`.

    Returns:
        Comparison: The measurements.
    """
    with ExitStack() as stack:
        workers, failed = {}, {}
        for contender in contenders:
            print(f'  starting {contender.name} ...', file=sys.stderr)
            try:
                workers[contender.name] = Worker(contender, threads)
                stack.callback(workers[contender.name].close)
            except ContenderError as error:
                failed[contender.name] = str(error)
                print(error, file=sys.stderr)
        seconds = take_turns({name: worker.run for name, worker in workers.items()}, rounds, repeats)
        return Comparison(seconds, {name: worker.facts() for name, worker in workers.items()}, failed)


def take_turns(measures: Dict[str, Callable[[int], List[float]]], rounds: int,
               repeats: int) -> Dict[str, List[List[float]]]:
    """Call each measure once per round with the number of repeats; return seconds by name, round and repeat."""
    from tqdm import tqdm
    seconds = {name: [] for name in measures}
    with tqdm(total=rounds * len(measures), unit='turn') as bar:
        for _ in range(rounds):
            for name, measure in measures.items():
                bar.set_postfix_str(name)
                time.sleep(PAUSE)
                seconds[name].append(measure(repeats))
                bar.update()
    return seconds


# ======================== Options, table, JSON ========================
def benchmark_parser(description: str, rounds: int, repeats: int) -> argparse.ArgumentParser:
    """Make a parser with the options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=rounds, help='turns of each contender (default: %(default)s)')
    parser.add_argument('--repeats', type=int, default=repeats, help='timed runs per turn (default: %(default)s)')
    parser.add_argument('--threads', type=int, default=int(os.environ.get('OMP_NUM_THREADS', 0)),
                        help='CPU threads per contender (default: OMP_NUM_THREADS, or the number of physical cores)')
    parser.add_argument('--peer-python', metavar='PATH',
                        help='Python interpreter of an environment with ultralytics, to compare with')
    parser.add_argument('--peer-path', metavar='FOLDER',
                        help='folder with ultralytics_multiseam.py and torchvision_stub.py')
    parser.add_argument('--out', metavar='JSON', help='write the measurements to this file')
    return parser


def parse_benchmark_args(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line and check the options that all benchmarks share."""
    args = parser.parse_args()
    if bool(args.peer_python) != bool(args.peer_path):
        parser.error('--peer-python and --peer-path must be given together')
    if args.peer_path and not Path(args.peer_path, 'ultralytics_multiseam.py').is_file():
        parser.error(f'--peer-path: there is no ultralytics_multiseam.py in {args.peer_path}')
    if min(args.rounds, args.repeats) < 1:
        parser.error('--rounds and --repeats must be at least 1')
    if not args.threads:
        from mmseam.inference.backends.cpu_cores import available_cores
        args.threads = available_cores()
    return args


def peer_contender(args: argparse.Namespace, name: str, function: str, arguments: dict) -> List[Contender]:
    """Return the peer as a contender, or an empty list if no peer is given."""
    if not args.peer_python:
        return []
    # Otherwise Ultralytics would look for updates of packages and write its settings to the user's home folder
    env = dict(YOLO_VERBOSE='False', YOLO_OFFLINE='True', YOLO_CONFIG_DIR=tempfile.gettempdir())
    return [Contender(name, f'peer.{function}', arguments, args.peer_python, (args.peer_path,), env)]


def machine() -> dict:
    """Describe the machine that the figures apply to; the threads are in the contenders' facts."""
    from mmseam.analysis.benchmark.measure import processor_name
    return dict(cpu=processor_name(), cores=os.cpu_count(), load_average=os.getloadavg()[0],
                python=sys.version.split()[0])


def write_json(path: Optional[str], content: dict) -> None:
    """Write the measurements atomically, if a file is given."""
    if path:
        from mmseam.utils.atomic_write import atomic_write
        with atomic_write(path) as file:
            file.write(json.dumps(content, indent=1) + '\n')


def summary(comparison: Comparison, reference: Optional[str] = None, work: float = 1) -> Dict[str, dict]:
    """Summarize a comparison for the table and the JSON file.

    Args:
        comparison (Comparison): The measurements.
        reference (str, optional): The contender to divide by in the ratios. Defaults to None.
        work (float): Images per run. Defaults to 1.

    Returns:
        Dict[str, dict]: For each contender ``ms`` (median of a run), ``per_second`` (images), ``ratio`` to the
        reference, ``facts`` and ``rounds_ms`` (median of each round); only ``failed`` for one that did not run.
    """
    rows = {}
    for name, rounds in comparison.seconds.items():
        median = comparison.median(name)
        rows[name] = dict(ms=1e3 * median, per_second=work / median,
                          ratio=comparison.ratio(name, reference) if reference else None,
                          facts=comparison.facts[name],
                          rounds_ms=[1e3 * statistics.median(times) for times in rounds])
    return {**rows, **{name: dict(failed=reason) for name, reason in comparison.failed.items()}}


def print_summary(title: str, rows: Dict[str, dict], reference: Optional[str] = None) -> None:
    """Print the rows of :func:`summary` as a table."""
    from rich.console import Console
    from rich.table import Table
    table = Table(title=title)
    table.add_column('contender')
    for column in ('ms', 'images/s', f'time / {reference}' if reference else 'time', 'peak MB', 'threads', 'torch'):
        table.add_column(column, justify='right')
    for name, row in rows.items():
        if 'failed' in row:
            table.add_row(name, 'did not run: ' + row['failed'].splitlines()[0])
            continue
        facts = row['facts']
        table.add_row(name, f'{row["ms"]:.2f}', f'{row["per_second"]:.1f}', spread(row['ratio']),
                      f'{facts["peak_mb"]:.0f}', str(facts['threads']), str(facts['torch']))
    Console(width=140).print(table)


def spread(ratio: Optional[dict]) -> str:
    """Format a ratio with its minimum and maximum."""
    return '' if ratio is None else f'{ratio["median"]:.3f} ({ratio["min"]:.3f} to {ratio["max"]:.3f})'


def goal(text: str, value: Optional[float], limit: float, at_most: bool = True) -> dict:
    """Print whether a goal is met; a value of None means that it was not measured."""
    met = None if value is None else bool(value <= limit if at_most else value >= limit)
    shown = 'not measured' if value is None else f'{value:.3f}'
    verdict = {None: '-', True: 'yes', False: 'NO'}[met]
    print(f'goal: {text} {"<=" if at_most else ">="} {limit:g}: {shown}: {verdict}')
    return dict(goal=text, limit=limit, at_most=at_most, value=value, met=met)
