"""Write the table of supported combinations, made from ``results.json``, into the pages that show it.

``make support-table`` runs it after ``make matrix``; a test compares the pages with the results.
"""
import re
from pathlib import Path
from typing import Dict

from run_matrix import ROOT, read_results

from mmseam.utils.atomic_write import atomic_write

_START, _END = '<!-- support table: make support-table -->\n', '<!-- end of the support table -->'
_ENGLISH = ('Python', 'hosts', 'PyTorch', 'NumPy', 'tests passed', 'skipped', 'failed')
#: Pages and their headings
PAGES = {
    ROOT / 'README.md': _ENGLISH,
    ROOT / 'README_zh-CN.md': ('Python', '依赖', 'PyTorch', 'NumPy', '通过', '跳过', '失败'),
    ROOT / 'docs' / 'get_started.md': _ENGLISH,
}


def make_table(cells: Dict[str, dict], headings: tuple = _ENGLISH) -> str:
    """Make the table.

    Args:
        cells (dict[str, dict]): Results by combination, as ``run_matrix.record`` writes them.
        headings (tuple[str]): Headings of the columns. Defaults to English.

    Returns:
        str: Markdown.
    """
    lines = [headings, ('---', ) * len(headings)]
    for cell in cells.values():
        versions = cell['versions']
        lines.append((versions['python'], _hosts(versions), versions['torch'].partition('+')[0], versions['numpy'],
                      str(cell['passed']), str(cell['skipped']), str(cell['failed'])))
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def _hosts(versions: Dict[str, str]) -> str:
    names = ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection')
    names = names if names[0] in versions else ('mmengine', 'mmcv-lite', 'mmdet')
    return ', '.join(f'{name} {versions[name]}' for name in names)


def insert_table(text: str, table: str) -> str:
    """Replace the table between the two marks of a page."""
    changed, count = re.subn(f'(?<={re.escape(_START)}).*?(?={re.escape(_END)})', lambda _: f'\n{table}\n', text,
                             flags=re.S)
    if count != 1:
        raise ValueError(f'the page needs the lines {_START.strip()!r} and {_END!r}, once each')
    return changed


def write_tables() -> None:
    """Write the table into all pages."""
    cells = read_results()
    for page, headings in PAGES.items():
        text = insert_table(Path(page).read_text(encoding='utf-8'), make_table(cells, headings))
        with atomic_write(page) as file:
            file.write(text)


if __name__ == '__main__':
    write_tables()
