"""The commands that the pages show, for the tests that check and run them."""
import re
import shlex
from pathlib import Path
from typing import Iterator, List

from config_files import FAMILIES, ROOT

#: Pages with commands for users; those of docs/studies belong to their studies.
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').glob('*.md'), *(folder / 'README.md' for folder in FAMILIES)])


def command_lines(page: Path) -> List[str]:
    """Lines of the shell blocks of a page, without comments, continued lines joined."""
    blocks = re.findall(r'```(?:bash|shell)\n(.*?)```', page.read_text(encoding='utf-8'), flags=re.S)
    text = '\n'.join(blocks).replace('\\\n', ' ')
    lines = (re.sub(r'(^|\s+)#.*', '', line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def code_spans(page: Path) -> List[str]:
    """Code in the sentences and tables of a page."""
    text = re.sub(r'```.*?```', '', page.read_text(encoding='utf-8'), flags=re.S)
    return [span.replace('\n', ' ') for span in re.findall(r'`([^`]+)`', text)]


def as_tool(command: str) -> List[str]:
    """Split ``mmseam X …`` or ``python tools/X.py …`` into the tool and its arguments; empty for other commands."""
    match = re.match(r'(?:\w+=\S+ )*(?:mmseam ([a-z]\w*)|python (tools/\S+\.py))(?=\s|$)(.*)', command)
    return [match[1] or match[2], *split(match[3])] if match else []


def split(text: str) -> List[str]:
    """Split arguments; brackets around optional ones and ellipses are dropped, and N is a number."""
    text = re.sub(r'(?<!\S)\[([^\]]*)\](?!\S)', r'\1', text).replace('…', ' ')
    return ['1' if word == 'N' else word for word in shlex.split(text)]


def make_targets(command: str) -> Iterator[str]:
    """Targets of ``make A B``."""
    match = re.match(r'(?:\w+=\S+ )*make ([a-z][a-z -]*)', command)
    return iter(match[1].split() if match else ())
