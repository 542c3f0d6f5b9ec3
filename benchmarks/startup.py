"""Start-up time: `import mmseam` beside the peer's `from ultralytics import YOLO`, and `--help` of every tool.

Every run is a fresh process; a bare interpreter takes part to show what is not ours. Tools must not import PyTorch
before they have parsed their options.
"""
import subprocess
import sys
import time
from pathlib import Path

from common import Comparison, benchmark_parser, goal, machine, parse_benchmark_args, take_turns, write_json

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
BARE, OURS, API, PEER = 'bare interpreter', 'import mmseam', 'from mmseam.apis import load_detector', 'peer'
PEER_CODE = 'import torchvision_stub; from ultralytics import YOLO'


def parse_args():
    parser = benchmark_parser(__doc__, rounds=7, repeats=1)
    parser.add_argument('--tools', nargs='*', type=Path, help='tools to ask for --help (default: all)')
    return parse_benchmark_args(parser)


def fresh_process(*command):
    """A measure that starts a process as often as asked."""

    def run(repeats: int):
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - start)
        return times

    return run


def imports_torch(tool: Path) -> bool:
    """Whether ``--help`` of a tool imports PyTorch."""
    process = subprocess.run([sys.executable, '-X', 'importtime', str(tool), '--help'], check=True, text=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return any(line.rsplit('|', 1)[-1].strip() == 'torch' for line in process.stderr.splitlines())


def show(comparison: Comparison, torch_users: list) -> dict:
    """Print the table; returns its rows."""
    from rich.console import Console
    from rich.table import Table
    table = Table('start', 'ms', 'over a bare interpreter, ms', 'imports torch', title='start-up, medians')
    rows = {}
    for name in comparison.seconds:
        milliseconds = 1e3 * comparison.median(name)
        rows[name] = dict(ms=milliseconds, over_bare_ms=milliseconds - 1e3 * comparison.median(BARE))
        if name.endswith('.py'):
            rows[name]['imports_torch'] = name in torch_users
        table.add_row(name, f'{milliseconds:.0f}', f'{rows[name]["over_bare_ms"]:.0f}',
                      {True: 'YES', False: 'no', None: ''}[rows[name].get('imports_torch')])
    Console(width=120).print(table)
    return rows


def main():
    args = parse_args()
    tools = sorted(TOOLS.rglob('*.py')) if args.tools is None else [tool.resolve() for tool in args.tools]
    names = {tool: str(tool.relative_to(TOOLS)) for tool in tools}
    measures = {BARE: fresh_process(sys.executable, '-c', 'pass')}
    if args.peer_python:
        path = f'import sys; sys.path.append({args.peer_path!r}); '
        measures[PEER] = fresh_process(args.peer_python, '-c', path + PEER_CODE)
    measures.update({code: fresh_process(sys.executable, '-c', code) for code in (OURS, API)})
    measures.update({names[tool]: fresh_process(sys.executable, str(tool), '--help') for tool in tools})
    take_turns(measures, 1, 1)  # fills the disk's cache
    comparison = Comparison(take_turns(measures, args.rounds, args.repeats), {}, {})
    torch_users = [names[tool] for tool in tools if imports_torch(tool)]
    rows = show(comparison, torch_users)
    ratio = comparison.ratio(OURS, PEER)
    goals = [goal('import mmseam over the peer\'s import', ratio and ratio['median'], 1),
             goal('tools that import torch for --help', len(torch_users), 0)]
    write_json(args.out, dict(options=dict(vars(args), tools=list(names.values())), machine=machine(), starts=rows,
                              ratio=ratio, goals=goals))


if __name__ == '__main__':
    main()
