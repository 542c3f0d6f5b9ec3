"""The ``mmseam`` command: one subcommand per tool.

Only the standard library is imported here, so that ``mmseam --help`` is fast; each tool imports what it needs.
"""
import ast
import difflib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Dict, Iterator, List, NoReturn, Optional

from mmseam.utils.resources import resource_folder
from mmseam.version import __version__

#: Tool of each subcommand, by group in the order of the help. A subcommand exists if the file of its tool exists.
COMMANDS: Dict[str, Dict[str, str]] = {
    'Start': {
        'quickstart': 'misc/quickstart.py',
        'doctor': 'misc/doctor.py',
    },
    'Train and use a detector': {
        'train': 'train.py',
        'test': 'test.py',
        'predict': 'predict.py',
        'export': 'deployment/export.py',
        'convert': 'model_converters/ultralytics_to_mmseam.py',
    },
    'Look into configs, models and data': {
        'config': 'misc/print_config.py',
        'summary': 'analysis_tools/model_summary.py',
        'browse': 'analysis_tools/browse_dataset.py',
    },
    'Measure': {
        'evaluate': 'analysis_tools/eval_wider_face.py',
        'occlusion': 'analysis_tools/occlusion_robustness.py',
        'study': 'study.py',
    },
    'Tools of the host packages': {
        'host': 'misc/run_host_tool.py',
    },
}

EPILOG = """Every command has the options of the tool of that name: mmseam COMMAND --help
A CONFIG is a file, or the name of one of mmseam's configs.

Examples:
  mmseam train yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface
  mmseam test CONFIG CHECKPOINT --benchmark
  mmseam predict images/ CONFIG CHECKPOINT --out-dir drawn
  mmseam config CONFIG --cfg-options train_cfg.max_epochs=50
  mmseam host mmdet analysis_tools/analyze_results.py CONFIG RESULTS.pkl drawn
"""


def main(arguments: Optional[List[str]] = None) -> None:
    """Run the tool of a subcommand.

    Args:
        arguments (list[str], optional): Subcommand and its options. Defaults to None: those of the process.

    Raises:
        SystemExit: The help was asked for, the command line is invalid, or the tool has failed.
    """
    command, *options = (sys.argv[1:] if arguments is None else arguments) or ['--help']
    if command in ('-h', '--help', 'help'):
        print(help_text())
    elif command in ('-V', '--version'):
        print(f'mmseam {__version__}')
    else:
        run_tool(command, options)


def commands() -> Dict[str, Path]:
    """Return the tool file of each subcommand."""
    return {name: path for group in COMMANDS for name, path in _commands_of(group)}


def run_tool(command: str, options: List[str]) -> None:
    """Run a tool in this process, as ``python tools/NAME.py`` does.

    Args:
        command (str): The subcommand.
        options (list[str]): Options of the tool.

    Raises:
        SystemExit: There is no such command, or the tool has failed.
    """
    tools = commands()
    if command not in tools:
        _exit_unknown(command, tools)
    sys.argv = [f'mmseam {command}', *options]
    try:
        _load(tools[command]).main()
    except ImportError as error:
        # Not imported at the top: it reads the metadata of packages.
        from mmseam.compat.host_versions import HostVersionError
        if not isinstance(error, HostVersionError):
            raise
        raise SystemExit(f'error: {error}\n`mmseam doctor` shows all that is installed.') from None
    except BrokenPipeError:  # `mmseam config CONFIG | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except KeyboardInterrupt:  # before the tool handles it
        raise SystemExit(128 + signal.SIGINT) from None


def _load(tool: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(tool.stem, str(tool))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def help_text() -> str:
    """Return the help: the subcommands by group, with the first sentence of each tool's docstring."""
    lines = ['usage: mmseam COMMAND [OPTIONS]', '',
             'Occlusion attention (SEAM, MultiSEAM) and YOLO11 for MMDetection and MMYOLO.']
    for group in COMMANDS:
        lines += ['', f'{group}:', *(f'  {name:<12}{_summary(path)}' for name, path in _commands_of(group))]
    return '\n'.join([*lines, '', EPILOG.rstrip()])


def _commands_of(group: str) -> Iterator[tuple]:
    folder = resource_folder('tools')
    paths = ((name, folder / tool) for name, tool in COMMANDS[group].items())
    return ((name, path) for name, path in paths if path.is_file())


def _summary(tool: Path) -> str:
    docstring = ast.get_docstring(ast.parse(tool.read_text(encoding='utf-8'))) or ''
    return docstring.split('\n')[0].rstrip('.')


def _exit_unknown(command: str, known: Dict[str, Path]) -> NoReturn:
    near = difflib.get_close_matches(command, known, n=1)
    hint = f'did you mean `mmseam {near[0]}`?' if near else '`mmseam --help` lists the commands'
    print(f'error: there is no command {command!r}; {hint}', file=sys.stderr)
    sys.exit(2)
