"""Measure start-up time: mmseam with MMEngine, the peer's `from ultralytics import YOLO`, and `--help` of every tool.

Every run is a new process; the bare interpreter is measured as a baseline. Tools must not import PyTorch before they
have parsed their options. Tools of the host packages are not measured, because they import it first.
"""
import subprocess
import sys
import time
from pathlib import Path

from common import Comparison, benchmark_parser, goal, machine, parse_benchmark_args, take_turns, write_json

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
BARE, OURS, API, PEER = 'bare interpreter', 'import mmseam, mmengine', 'from mmseam.apis import load_detector', 'peer'
COMMAND = 'mmseam --help'
PEER_CODE = 'import torchvision_stub; from ultralytics import YOLO'


def parse_args():
    parser = benchmark_parser(__doc__, rounds=7, repeats=1)
    parser.add_argument('--tools', nargs='*', type=Path, help="tools to measure (default: all of mmseam's own)")
    return parse_benchmark_args(parser)


def own_tools():
    """List the tools that do not run a tool of a host package."""
    return [tool for tool in sorted(TOOLS.rglob('*.py')) if 'run_host_tool' not in tool.read_text(encoding='utf-8')]


def new_process(*command):
    """Return a function that starts a process ``repeats`` times and measures each."""

    def run(repeats: int):
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - start)
        return times

    return run


def imports_torch(tool: Path) -> bool:
    """Return whether ``--help`` of a tool imports PyTorch."""
    process = subprocess.run([sys.executable, '-X', 'importtime', str(tool), '--help'], check=True, text=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return any(line.rsplit('|', 1)[-1].strip() == 'torch' for line in process.stderr.splitlines())


def show(comparison: Comparison, torch_users: list) -> dict:
    """Print the table; return its rows."""
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
    tools = own_tools() if args.tools is None else [tool.resolve() for tool in args.tools]
    names = {tool: str(tool.relative_to(TOOLS)) for tool in tools}
    measures = {BARE: new_process(sys.executable, '-c', 'pass')}
    if args.peer_python:
        path = f'import sys; sys.path.append({args.peer_path!r}); '
        measures[PEER] = new_process(args.peer_python, '-c', path + PEER_CODE)
    measures.update({code: new_process(sys.executable, '-c', code) for code in (OURS, API)})
    measures[COMMAND] = new_process(sys.executable, '-m', 'mmseam', '--help')
    measures.update({names[tool]: new_process(sys.executable, str(tool), '--help') for tool in tools})
    take_turns(measures, 1, 1)  # fills the disk cache
    comparison = Comparison(take_turns(measures, args.rounds, args.repeats), {}, {})
    torch_users = [names[tool] for tool in tools if imports_torch(tool)]
    rows = show(comparison, torch_users)
    ratio = comparison.ratio(OURS, PEER)
    goals = [goal(f'{OURS} over the peer\'s import', ratio and ratio['median'], 1),
             goal(f'{COMMAND} in ms', rows[COMMAND]['ms'], 300),
             goal('tools that import torch for --help', len(torch_users), 0)]
    write_json(args.out, dict(options=dict(vars(args), tools=list(names.values())), machine=machine(), starts=rows,
                              ratio=ratio, goals=goals))


if __name__ == '__main__':
    main()
