"""Runners whose console shows a line per epoch and a progress bar; the log file has everything."""
import logging
import re
import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from typing import Any, Iterator, TextIO

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from tqdm import tqdm

from mmseam.registry import RUNNERS

from .hooks.progress_bar_hook import ProgressBarHook

# Warnings of MMEngine about its own code
_HOST_WARNINGS = ('"FileClient" will be deprecated', '"HardDiskBackend" is the alias')
# What pycocotools prints around its work
_COCO_MESSAGES = re.compile(
    r'(loading annotations into memory|Loading and preparing results|creating index|index created!|DONE \(t=|'
    r'Running per image evaluation|Evaluate annotation type|Accumulating evaluation results|Done \(t=)', re.IGNORECASE)


def build_runner(cfg: Config, quiet: bool = False) -> Runner:
    """Build the runner of a config.

    Args:
        cfg (Config): The config.
        quiet (bool): Show only warnings, errors and a line per epoch on the console. Defaults to False.

    Returns:
        Runner: The runner.
    """
    kind = RUNNERS.get(cfg.runner_type) if 'runner_type' in cfg else Runner
    if quiet:
        kind = type(f'Quiet{kind.__name__}', (QuietConsole, kind), {})
    runner = kind.from_cfg(cfg)
    if quiet and not any(isinstance(hook, ProgressBarHook) for hook in runner.hooks):
        runner.register_hook(ProgressBarHook())
    return runner


class QuietConsole:
    """Mixin for runners: limits what appears on the console, not what is written to the log file."""

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build the logger with a :class:`ConsoleHandler`."""
        logger = super().build_logger(*args, **kwargs)
        logger.handlers = [_quiet(handler) for handler in logger.handlers]
        return logger

    def train(self) -> Any:
        """Train; see :meth:`mmengine.runner.Runner.train`."""
        with self._quiet():
            return super().train()

    def test(self) -> dict:
        """Test; see :meth:`mmengine.runner.Runner.test`."""
        with self._quiet():
            return super().test()

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        with redirect_stdout(CocoFilter(sys.stdout)), warnings.catch_warnings():
            warnings.showwarning = self._log_warning
            try:
                yield
            finally:  # an error or a signal: what follows goes to a line of its own
                for hook in self.hooks:
                    if isinstance(hook, ProgressBarHook):
                        hook.close()

    def _log_warning(self, message: Warning, category: type, filename: str, line: int, *_: Any) -> None:
        """Write Python's warnings, which packages address to programmers, to the log file only."""
        self.logger.info(f'{filename}:{line}: {category.__name__}: {message}')


class ConsoleHandler(logging.StreamHandler):
    """Handler of warnings, errors and records marked ``on_console``, which are written above progress bars.

    Args:
        stream (TextIO): Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.addFilter(self._is_shown)

    @staticmethod
    def _is_shown(record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return getattr(record, 'on_console', False) and is_main_process()
        return not record.getMessage().startswith(_HOST_WARNINGS)

    def format(self, record: logging.LogRecord) -> str:
        """Format the message, after its level if it is a warning or an error."""
        level = f'{record.levelname.lower()}: ' if record.levelno >= logging.WARNING else ''
        return level + record.getMessage()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record above progress bars."""
        with tqdm.external_write_mode(file=self.stream):
            super().emit(record)


class CocoFilter:
    """Stream that passes everything on except the lines that pycocotools prints.

    Args:
        stream (TextIO): Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._hides_newline = False

    def write(self, text: str) -> int:
        """Write a text, which is what one argument of ``print`` or its newline is."""
        hidden = bool(_COCO_MESSAGES.match(text)) or (self._hides_newline and text == '\n')
        self._hides_newline = hidden and text != '\n'
        return len(text) if hidden else self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _quiet(handler: logging.Handler) -> logging.Handler:
    if type(handler) is not logging.StreamHandler:
        return handler
    quiet = ConsoleHandler(handler.stream)
    quiet.setLevel(handler.level)
    return quiet
