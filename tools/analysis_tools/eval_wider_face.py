"""Evaluate face detections by the official WIDER FACE protocol, with optional slices, intervals and curves."""
import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  official numbers of a result folder:
    python tools/analysis_tools/eval_wider_face.py results/ --gt eval_tools/ground_truth
  standard slices with 95 % intervals and plots:
    python tools/analysis_tools/eval_wider_face.py results.tar.xz --gt eval_tools/ground_truth \\
      --slices --bootstrap --plot figures
  custom slices, and a comparison of two methods:
    python tools/analysis_tools/eval_wider_face.py seam=seam.pkl plain=plain/ --gt eval_tools/ground_truth \\
      --slices 'hard & occlusion=heavy' 'blur=heavy | height<16' --compare plain seam
"""


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'results', nargs='+', metavar='[NAME=]RESULTS',
        help='detections of one method: folder or archive (.tar.*, .zip) of event/image.txt, COCO results (.json), or '
        'MMEngine dump (.pkl, .json)')
    parser.add_argument(
        '--gt', required=True, metavar='PATH',
        help='folder of the official .mat files, or wider_face_*_bbx_gt.txt to derive subsets from face heights')
    parser.add_argument(
        '--images', metavar='JSON', help='COCO annotations with the image names, for COCO results with numeric ids')
    parser.add_argument(
        '--slices', nargs='*', metavar='EXPRESSION',
        help="boolean expressions such as 'occlusion=heavy & height>=20' (default without a value: standard slices)")
    parser.add_argument(
        '--bootstrap', type=int, nargs='?', const=1000, default=0, metavar='N',
        help='compute 95 %% intervals from N resamples of the images (1000 if N is omitted)')
    parser.add_argument(
        '--compare', nargs='+', default=[], metavar='NAME',
        help='compute paired bootstrap differences to the first of these methods')
    parser.add_argument('--out', metavar='JSON', help='write results, comparisons and curves to this file')
    parser.add_argument('--csv', metavar='CSV', help='write results as a table to this file')
    parser.add_argument('--plot', metavar='FOLDER', help='plot curves and slices as .png and .pdf')
    parser.add_argument('--int32-compat', action='store_true', help='round overlaps like the MATLAB tools')
    args = parser.parse_args(argv)
    args.methods = name_methods(parser, args.results)
    unknown = [name for name in args.compare if name not in args.methods]
    if unknown or len(args.compare) == 1:
        parser.error(f'--compare needs two or more of: {", ".join(args.methods)}' +
                     (f'; not {", ".join(unknown)}' if unknown else ''))
    if args.compare and not args.bootstrap:
        args.bootstrap = 1000
    return args


def name_methods(parser, results):
    """Return paths by method name; a path without a name is named after its file or folder."""
    methods = {}
    for text in results:
        name, equals, path = text.partition('=')
        if not equals or '/' in name or Path(text).exists():
            path = text
            name = Path(text).resolve().name.partition('.tar')[0]
            name = Path(name).stem if not Path(text).is_dir() else name
        if name in methods:
            parser.error(f'two methods are called {name!r}: write NAME={path}')
        methods[name] = path
    return methods


def evaluate(args, truth, subsets, advance):
    """Compute results and bootstrap samples by method."""
    from mmseam.evaluation.functional import (
        bootstrap_average_precision,
        match_detections,
        read_detections,
        read_image_names,
        score_subsets,
    )
    images = read_image_names(args.images) if args.images else None
    results, samples = {}, {}
    for name, path in args.methods.items():
        advance(f'reading {name}')
        detections = read_detections(path, images)
        advance(f'matching {name}')
        matches = match_detections(truth, detections, int32_compat=args.int32_compat)
        results[name] = score_subsets(matches, subsets)
        if args.bootstrap:
            advance(f'resampling {name}')
            samples[name] = bootstrap_average_precision(matches, subsets, args.bootstrap)
    return results, samples


def draw(folder, results, rows, truth):
    """Plot the curves of each subset of the ground truth, and all slices in one figure."""
    from mmseam.evaluation.functional.wider_face.plots import plot_precision_recall, plot_slices
    slices = [row for row in rows if row.subset not in truth.subsets]
    for suffix in ('.png', '.pdf'):
        for subset in truth.subsets:
            curves = {method: by_subset[subset] for method, by_subset in results.items()}
            plot_precision_recall(curves, Path(folder, f'precision_recall_{subset}{suffix}'), f'WIDER FACE, {subset}')
        if slices:
            plot_slices(slices, Path(folder, f'slices{suffix}'))


def run(args, console):
    """Evaluate, print and write results."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from mmseam.evaluation.functional import (
        STANDARD_SLICES,
        ground_truth_from_annotations,
        read_official_ground_truth,
        select_faces,
    )
    from mmseam.evaluation.functional.wider_face.report import (
        compare,
        comparison_table,
        results_table,
        summarize,
        write_csv,
        write_json,
    )
    columns = TextColumn('{task.description}'), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        steps = 1 + len(args.methods) * (3 if args.bootstrap else 2)
        task = progress.add_task('reading the ground truth', total=steps)
        truth = (ground_truth_from_annotations if Path(args.gt).is_file() else read_official_ground_truth)(args.gt)
        chosen = {} if args.slices is None else {text: text for text in args.slices} or STANDARD_SLICES
        subsets = {**truth.subsets, **select_faces(truth, chosen)}
        results, samples = evaluate(
            args, truth, subsets, lambda text: progress.update(task, advance=1, description=text))
    rows = [row for name in results for row in summarize(name, results[name], samples.get(name))]
    comparisons = compare(results, samples, args.compare) if args.compare else []
    console.print(results_table(rows))
    if comparisons:
        console.print(comparison_table(comparisons))
    if args.out:
        write_json(args.out, rows, results, comparisons)
    if args.csv:
        write_csv(args.csv, rows)
    if args.plot:
        draw(args.plot, results, rows, truth)


def main(argv=None):
    args = parse_args(argv)
    import mmseam  # noqa: F401, I001  (before any host package)
    from rich.console import Console
    try:
        run(args, Console())
    except (OSError, ValueError) as error:
        sys.exit(f'eval_wider_face: {error}')


if __name__ == '__main__':
    main()
