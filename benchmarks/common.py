"""What the benchmarks share: alternating rounds, options, the table, the json and the goals.

``compare`` starts a process for each contender (see ``worker.py``), lets them work in turns, A B C A B C ..., and
returns the times.
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

PAUSE = 0.3  # seconds in which the spinning threads of the contender before fall asleep


# ======================== Rounds ========================
class Comparison(NamedTuple):
    """Seconds by contender, round and repeat; the facts of each; and why those that could not run did not."""
    seconds: Dict[str, List[List[float]]]
    facts: Dict[str, dict]
    failed: Dict[str, str]

    def median(self, name: str) -> float:
        """Median seconds over all rounds."""
        return statistics.median(sum(self.seconds[name], []))

    def ratio(self, name: str, reference: str) -> Optional[dict]:
        """Time of ``name`` over that of ``reference``: median, least and largest over the rounds.

        Each round's ratio is of its own medians, so that a machine that slows down slows both. None if one of the two
        did not run.
        """
        if name not in self.seconds or reference not in self.seconds:
            return None
        ratios = [statistics.median(own) / statistics.median(other)
                  for own, other in zip(self.seconds[name], self.seconds[reference])]
        return dict(median=statistics.median(ratios), min=min(ratios), max=max(ratios))


def prepare(function: str, arguments: dict, threads: int) -> None:
    """Call a function in a process of its own for what it leaves behind, such as files; it returns None, {}.

    Raises:
        ContenderError: It failed.
    """
    print(f'  {function} ...', file=sys.stderr)
    Worker(Contender(function, function, arguments), threads).close()


def compare(contenders: Sequence[Contender], rounds: int, repeats: int, threads: int) -> Comparison:
    """Start all contenders, then let them work in turns; one at a time.

    Args:
        contenders (Sequence[Contender]): What to compare; one that cannot run is reported and left out.
        rounds (int): Turns of each.
        repeats (int): Timed runs in a turn, after one that is not timed.
        threads (int): As of :class:`Worker`.

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
    """Call each measure once a round with the number of repeats; seconds by name, round and repeat."""
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


# ======================== Options, table, json ========================
def benchmark_parser(description: str, rounds: int, repeats: int) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=rounds, help='turns of each contender (default: %(default)s)')
    parser.add_argument('--repeats', type=int, default=repeats, help='timed runs in a turn (default: %(default)s)')
    parser.add_argument('--threads', type=int, default=int(os.environ.get('OMP_NUM_THREADS', 0)),
                        help='CPU threads of every contender (default: OMP_NUM_THREADS, or the physical cores)')
    parser.add_argument('--peer-python', metavar='PATH', help='interpreter of an environment with ultralytics')
    parser.add_argument('--peer-path', metavar='FOLDER',
                        help='folder with ultralytics_multiseam.py and torchvision_stub.py')
    parser.add_argument('--out', metavar='JSON', help='write the measurements')
    return parser


def parse_benchmark_args(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse, and check what all benchmarks have."""
    args = parser.parse_args()
    if bool(args.peer_python) != bool(args.peer_path):
        parser.error('--peer-python and --peer-path belong together')
    if args.peer_path and not Path(args.peer_path, 'ultralytics_multiseam.py').is_file():
        parser.error(f'--peer-path: there is no ultralytics_multiseam.py in {args.peer_path}')
    if min(args.rounds, args.repeats) < 1:
        parser.error('--rounds and --repeats must be at least 1')
    if not args.threads:
        from mmseam.inference.backends.cpu_cores import available_cores
        args.threads = available_cores()
    return args


def peer_contender(args: argparse.Namespace, name: str, function: str, arguments: dict) -> List[Contender]:
    """The peer as a contender, in a list that is empty where no peer is given."""
    if not args.peer_python:
        return []
    # Ultralytics would otherwise look for its packages' updates and write its settings to the user's home
    env = dict(YOLO_VERBOSE='False', YOLO_OFFLINE='True', YOLO_CONFIG_DIR=tempfile.gettempdir())
    return [Contender(name, f'peer.{function}', arguments, args.peer_python, (args.peer_path,), env)]


def machine() -> dict:
    """What the figures hold for; the threads are in the contenders' facts."""
    from mmseam.analysis.benchmark.measure import processor_name
    return dict(cpu=processor_name(), cores=os.cpu_count(), load_average=os.getloadavg()[0],
                python=sys.version.split()[0])


def write_json(path: Optional[str], content: dict) -> None:
    """Write the measurements, whole or not at all, where a file was asked for."""
    if path:
        from mmseam.utils.atomic_write import atomic_write
        with atomic_write(path) as file:
            file.write(json.dumps(content, indent=1) + '\n')


def summary(comparison: Comparison, reference: Optional[str] = None, work: float = 1) -> Dict[str, dict]:
    """Plain figures of a comparison, for the table and the json.

    Args:
        comparison (Comparison): The measurements.
        reference (str, optional): The contender that the ratios divide by. Defaults to None.
        work (float): Images in a run. Defaults to 1.

    Returns:
        Dict[str, dict]: By contender ``ms`` (median of a run), ``per_second`` (images), ``ratio`` to the reference,
        ``facts`` and ``rounds_ms`` (median of each round); of one that did not run, only ``failed``.
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
    """A ratio with its least and largest value."""
    return '' if ratio is None else f'{ratio["median"]:.3f} ({ratio["min"]:.3f} to {ratio["max"]:.3f})'


def goal(text: str, value: Optional[float], limit: float, at_most: bool = True) -> dict:
    """Print whether a goal is met; a value of None was not measured."""
    met = None if value is None else bool(value <= limit if at_most else value >= limit)
    shown = 'not measured' if value is None else f'{value:.3f}'
    verdict = {None: '-', True: 'yes', False: 'NO'}[met]
    print(f'goal: {text} {"<=" if at_most else ">="} {limit:g}: {shown}: {verdict}')
    return dict(goal=text, limit=limit, at_most=at_most, value=value, met=met)
