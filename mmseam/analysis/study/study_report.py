"""Report of a study: JSON, CSV, Markdown and LaTeX."""
import csv
import io
import math
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from mmseam.evaluation.functional.wider_face.ground_truth import OFFICIAL_SUBSETS
from mmseam.utils.atomic_write import atomic_write
from mmseam.utils.strict_json import dump_json

from .study_data import ALL
from .study_description import Study
from .study_plots import OCCLUSION_METRICS, plot_average_precision, plot_occlusion
from .study_statistics import METRICS, change_name

_INTERVALS = ('over seeds', 'over images', 'over both', 'detectable')
_LATEX = {'%': r'\%', '&': r'\&', '_': r'\_', '±': r'$\pm$', '−': '$-$', '→': r'$\to$', '…': r'\ldots{}'}


def write_report(study: Study, summary: Dict[str, Any], models: Dict[str, dict], folder: Path) -> List[Path]:
    """Write the report in all formats.

    Args:
        study (Study): The study.
        summary (dict): From :func:`~mmseam.analysis.study.study_statistics.summarize`.
        models (dict): Parameters, GFLOPs and latency by variant.
        folder (Path): Where to write ``summary.json``, ``table.csv``, ``table.md``, ``table.tex`` and the plots.

    Returns:
        list[Path]: The files.
    """
    texts = {
        'summary.json': dump_json(dict(title=study.title, baseline=study.baseline, models=models, **summary),
                                  sort_keys=True),
        'table.csv': _csv(_rows(study, summary)),
        'table.md': markdown(study, summary, models),
        'table.tex': latex(study, summary, models),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as file:
            file.write(text)
    plots = [plot_average_precision(study, summary, folder / 'average_precision.png')]
    plots += [plot_occlusion(study, summary, name, metric, folder / f'occlusion_{metric}_{name.replace(" ", "_")}.png')
              for name in study.evaluate if _has_occlusion(summary, name) for metric in OCCLUSION_METRICS]
    return [*(folder / name for name in texts), *plots]


def _has_occlusion(summary: Dict[str, Any], name: str) -> bool:
    return any(name in sets for sets in summary['occlusion_estimates'].values())


# ======================== CSV ========================
def _rows(study: Study, summary: Dict[str, Any]) -> Iterator[dict]:
    """Yield a row for each variant, set, slice and metric, each point of the occlusion curves, and each control."""
    for kind in ('', 'occlusion_', 'wider_face_'):
        for (variant, *place), value in _leaves(summary.get(f'{kind}estimates', {})):
            row = _row(study, variant, kind, place, value)
            yield {**row, **_comparison(study.baseline, _get(summary[f'{kind}differences'], variant, *place))}
            for control in study.variants[variant].controls:
                compared = _get(summary[f'{kind}control_differences'], variant, control, *place)
                if compared is not None:
                    yield {**row, **_comparison(control, compared)}


def _part_and_metric(kind: str, keys: Sequence[str]) -> Sequence[str]:
    if kind == 'occlusion_':
        return '/'.join(keys[1:]), keys[0]
    return (keys[0], 'WIDER FACE AP') if kind == 'wider_face_' else keys


def _leaves(table: dict, place: tuple = ()) -> Iterator[tuple]:
    """Yield the path and the content of each estimate of a nested table."""
    for key, value in table.items():
        if 'mean' in value and 'seeds' in value:
            yield (*place, key), value
        else:
            yield from _leaves(value, (*place, key))


def _row(study: Study, variant: str, kind: str, place: Sequence[str], value: dict) -> dict:
    name, *rest = place
    part, metric = _part_and_metric(kind, rest)
    return dict(variant=variant, label=study.label(variant), set=name, slice=part, metric=metric, mean=value['mean'],
                spread=value['spread'], seeds=len(value['seeds']))


def _comparison(other: str, compared: Optional[dict]) -> dict:
    row: Dict[str, Any] = dict(compared_with=other if compared else None)
    for key in ('mean', 'over_seeds', 'over_images', 'over_both', 'detectable'):
        found = compared and compared[key]
        if key.startswith('over'):
            row[f'difference_{key}_low'], row[f'difference_{key}_high'] = found or (None, None)
        else:
            row[f'difference_{key}'] = found
    return row


def _get(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _csv(rows: Iterator[dict]) -> str:
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0] if rows else ['variant'], lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


# ======================== Markdown and LaTeX ========================
def markdown(study: Study, summary: Dict[str, Any], models: Dict[str, dict]) -> str:
    """Format the tables as Markdown.

    Args:
        study (Study): The study.
        summary (dict): The numbers.
        models (dict): Parameters, GFLOPs and latency by variant.

    Returns:
        str: For each evaluation set, a table of all variants, one of variants and their controls, and those of the
        slices and of the occlusion curves.
    """
    lines: List[str] = []
    for title, header, rows in _tables(study, summary, models):
        lines += [f'### {title}', '', _markdown_row(header), _markdown_row([':-', *[':-:'] * (len(header) - 1)]),
                  *map(_markdown_row, rows), '']
    return '\n'.join(lines)


def _markdown_row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def latex(study: Study, summary: Dict[str, Any], models: Dict[str, dict]) -> str:
    """Format the tables as LaTeX with the rules of ``booktabs``; arguments as in :func:`markdown`."""
    lines: List[str] = []
    for title, header, rows in _tables(study, summary, models):
        body = [' & '.join(map(_escape, row)) + r' \\' for row in (header, *rows)]
        lines += [r'\begin{table}', r'\centering', rf'\caption{{{_escape(title)}}}',
                  rf'\begin{{tabular}}{{l{"c" * (len(header) - 1)}}}', r'\toprule', body[0], r'\midrule', *body[1:],
                  r'\bottomrule', r'\end{tabular}', r'\end{table}', '']
    return '\n'.join(lines)


def _escape(text: str) -> str:
    return ''.join(_LATEX.get(letter, letter) for letter in text)


def _tables(study: Study, summary: Dict[str, Any], models: Dict[str, dict]) -> Iterator[tuple]:
    """Yield title, header and rows of each table."""
    yield 'Models', ['Variant', 'Params (M)', 'GFLOPs', 'Latency (ms)', 'Runs'], list(_models(study, summary, models))
    header = ['Variant', 'AP', 'AP50', 'AP − baseline', *_INTERVALS]
    for name in study.evaluate:
        yield f'{name}: AP in percent', header, list(_main_rows(study, summary, name))
        yield from _control_tables(study, summary, name)
        for metric in ('AP', 'recall50'):
            parts = [ALL, *study.evaluate[name].slices]
            if len(parts) > 1:
                yield (f'{name}: {metric} by slice, and difference to the baseline with its interval over seeds',
                       ['Variant', *parts], _cell_rows(study, summary, '', [(name, part, metric) for part in parts]))
        if study.evaluate[name].ground_truth:
            yield (f"{name}: AP by WIDER FACE's protocol, and difference to the baseline with its interval over seeds",
                   ['Variant', *OFFICIAL_SUBSETS],
                   _cell_rows(study, summary, 'wider_face_', [(name, subset) for subset in OFFICIAL_SUBSETS]))
        if _has_occlusion(summary, name):
            yield from _occlusion_tables(study, summary, name)


def _occlusion_tables(study: Study, summary: Dict[str, Any], name: str) -> Iterator[tuple]:
    for metric, text in OCCLUSION_METRICS.items():
        columns = _occlusion_columns(study, name, metric)
        yield (f'{name}: {text} by covered fraction, mean over the kinds of occluder, and difference to the '
               'baseline with its interval over seeds', ['Variant', *columns],
               _cell_rows(study, summary, 'occlusion_', list(columns.values())))
    kinds, most = study.occlusion.kinds, f'{max(study.occlusion.fractions):g}'
    yield (f'{name}: {OCCLUSION_METRICS["AP50"]} with {most} of each box covered, by kind of occluder, and difference '
           'to the baseline with its interval over seeds', ['Variant', *kinds],
           _cell_rows(study, summary, 'occlusion_', [(name, 'AP50', kind, most) for kind in kinds]))


def _control_tables(study: Study, summary: Dict[str, Any], name: str) -> Iterator[tuple]:
    """Yield the tables of variants and their controls, if there are any."""
    labels = {(variant, control): f'{study.label(variant)} − {study.label(control)}'
              for variant, item in study.variants.items() for control in item.controls}
    found = {pair: _get(summary['control_differences'], *pair, name, ALL, 'AP') for pair in labels}
    rows = [[labels[pair], *_control_cells(compared)] for pair, compared in found.items() if compared]
    if rows:
        yield f'{name}: AP, difference to a control', ['Variant − control', 'AP', 'by seed', *_INTERVALS], rows
    for metric, text in OCCLUSION_METRICS.items():
        columns = _occlusion_columns(study, name, metric)
        cells = {pair: [_difference(_get(summary['occlusion_control_differences'], *pair, *place))
                        for place in columns.values()] for pair in labels}
        rows = [[labels[pair], *row] for pair, row in cells.items() if any(row)]
        if rows:
            yield (f'{name}: {text} by covered fraction, mean over the kinds of occluder, difference to a control with '
                   'its interval over seeds', ['Variant − control', *columns], rows)


def _control_cells(compared: dict) -> List[str]:
    return [_number(compared['mean'], 100, 1, sign=True),
            ', '.join(_number(value, 100, 1, sign=True) for value in compared['seeds'].values()),
            *_interval_cells(compared)]


def _occlusion_columns(study: Study, name: str, metric: str) -> Dict[str, tuple]:
    """Return the place of each column: the covered fractions, and the change from the smallest to the largest."""
    fractions = study.occlusion.fractions if study.occlusion else []
    columns = {f'{fraction:g}': (name, metric, 'mean', f'{fraction:g}') for fraction in fractions}
    if len(set(fractions)) > 1:
        change = change_name(f'{min(fractions):g}', f'{max(fractions):g}')
        columns[change] = (name, f'{metric}_change', 'mean', change)
    return columns


def _models(study: Study, summary: Dict[str, Any], models: Dict[str, dict]) -> Iterator[List[str]]:
    main = next(iter(study.evaluate))
    for variant in study.variants:
        model = models.get(variant, {})
        runs = _get(summary['estimates'], variant, main, ALL, METRICS[0], 'seeds') or {}
        if runs:
            yield [study.label(variant), _number(model.get('parameters'), 1e-6, 3), _number(model.get('gflops'), 1, 2),
                   _number(model.get('latency_ms'), 1, 1), str(len(runs))]


def _main_rows(study: Study, summary: Dict[str, Any], name: str) -> Iterator[List[str]]:
    for variant in study.variants:
        ap, ap50 = (_get(summary['estimates'], variant, name, ALL, metric) for metric in ('AP', 'AP50'))
        if ap is None:
            continue
        compared = _get(summary['differences'], variant, name, ALL, 'AP') or {}
        yield [study.label(variant), _mean(ap), _mean(ap50), _number(compared.get('mean'), 100, 1, sign=True),
               *_interval_cells(compared)]


def _interval_cells(compared: dict) -> List[str]:
    return [*(_interval(compared.get(key)) for key in ('over_seeds', 'over_images', 'over_both')),
            _number(compared.get('detectable'), 100, 1)]


def _cell_rows(study: Study, summary: Dict[str, Any], kind: str, places: Sequence[Sequence[str]]) -> List[List[str]]:
    """Return a row for each variant with results; each place leads to a cell in the variant's table of this kind."""
    cells = {variant: [_cell(summary, kind, variant, *place) for place in places] for variant in study.variants}
    return [[study.label(variant), *row] for variant, row in cells.items() if any(row)]


def _cell(summary: Dict[str, Any], kind: str, *place: str) -> str:
    """Format a mean, and the difference to the baseline with its interval over seeds."""
    value = _get(summary, f'{kind}estimates', *place)
    compared = _get(summary, f'{kind}differences', *place)
    if value is None:
        return ''
    text = _number(value['mean'], 100, 1)
    if compared is None or not text:
        return text
    return f'{text} ({_difference(compared)})'


def _difference(compared: Optional[dict]) -> str:
    if compared is None:
        return ''
    return ' '.join(filter(None, [_number(compared['mean'], 100, 1, sign=True), _interval(compared['over_seeds'])]))


def _mean(value: dict) -> str:
    spread = '' if value['spread'] is None else f' ± {100 * value["spread"]:.1f}'
    return f'{100 * value["mean"]:.1f}{spread}'


def _interval(bounds: Optional[Sequence[float]]) -> str:
    return '' if bounds is None else f'[{_number(bounds[0], 100, 1, True)}, {_number(bounds[1], 100, 1, True)}]'


def _number(value: Optional[float], factor: float, digits: int, sign: bool = False) -> str:
    if value is None or not math.isfinite(value):
        return ''
    return f'{value * factor:{"+" if sign else ""}.{digits}f}'.replace('-', '−')  # −0.0: a bound below 0
