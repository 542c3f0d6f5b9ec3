"""Measure the WIDER FACE evaluation: time and memory compared with a plain Python evaluator, and AP by setting.

Run it on real detections of the validation set; the plain evaluator is that of the tests.
"""
import argparse
import json
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', help='folder or archive of result files')
    parser.add_argument('--gt', required=True, help='folder with the official .mat files')
    parser.add_argument('--boxes', type=int, default=1_800_000, help='boxes in the large set (default: %(default)s)')
    parser.add_argument('--skip-plain', action='store_true', help='skip the plain evaluator, which takes minutes')
    parser.add_argument('--out', metavar='JSON', help='write the measurements to this file')
    return parser.parse_args()


def timed(function, *args):
    start = time.perf_counter()
    value = function(*args)
    return value, time.perf_counter() - start


def plain_evaluation(truth, detections):
    """Compute the AP of each subset with the evaluator of the tests, one subset at a time as the usual scripts do."""
    import numpy as np
    sys.path.insert(0, str(REPOSITORY / 'tests' / 'test_evaluation'))
    from wider_face_reference import reference_evaluation
    faces = np.split(truth.boxes, truth.offsets[1:-1])
    return {
        name: reference_evaluation([(detections[key], boxes, mask) for key, boxes, mask in zip(
            truth.keys, faces, np.split(keep, truth.offsets[1:-1]))])[0]
        for name, keep in truth.subsets.items()
    }


def enlarge(detections, boxes):
    """Repeat the detections with small random shifts until there are at least ``boxes`` boxes."""
    import numpy as np
    rng = np.random.default_rng(0)
    factor = -(-boxes // sum(map(len, detections.values())))
    big = {}
    for key, rows in detections.items():
        copies = rows.repeat(factor, axis=0)
        copies[:, :4] += rng.normal(0, 1, copies[:, :4].shape)
        copies[:, 4] *= rng.uniform(.5, 1, len(copies))
        big[key] = copies
    return big


def write_folder(folder, detections):
    """Write result files like those of a test script."""
    for key, rows in detections.items():
        path = Path(folder, f'{key}.txt')
        path.parent.mkdir(exist_ok=True)
        lines = [path.stem, str(len(rows)), *('{:.2f} {:.2f} {:.2f} {:.2f} {:.6f}'.format(*row) for row in rows)]
        path.write_text('\n'.join(lines) + '\n')


def measure(args):
    """Measure the seconds of every part, and the AP of both evaluators."""
    from tempfile import TemporaryDirectory

    from mmseam.evaluation.functional import (
        STANDARD_SLICES,
        bootstrap_average_precision,
        evaluate_wider_face,
        match_detections,
        read_detections,
        read_official_ground_truth,
        select_faces,
    )
    seconds, ap = {}, {}
    detections = read_detections(args.results)
    with TemporaryDirectory() as folder:
        write_folder(folder, detections)
        truth, seconds['ground truth (.mat)'] = timed(read_official_ground_truth, args.gt)
        _, seconds['result files'] = timed(read_detections, folder)
        if Path(args.results).is_file():
            _, seconds['result archive (instead of files)'] = timed(read_detections, args.results)
    results, seconds['three subsets'] = timed(evaluate_wider_face, truth, detections)
    ap['fast'] = {name: result.ap for name, result in results.items()}
    seconds['files to three subsets'] = sum(
        seconds[part] for part in ('ground truth (.mat)', 'result files', 'three subsets'))
    twelve = dict(list(STANDARD_SLICES.items())[:12])
    slices, matches = select_faces(truth, twelve), match_detections(truth, detections)
    _, seconds['12 slices, 1,000 resamples'] = timed(bootstrap_average_precision, matches, slices)
    if not args.skip_plain:
        ap['plain'], seconds['plain evaluator, three subsets'] = timed(plain_evaluation, truth, detections)
    big = enlarge(detections, args.boxes)
    seconds_big = timed(evaluate_wider_face, truth, big)[1]
    seconds[f'{sum(map(len, big.values())):,} boxes, three subsets'] = seconds_big
    return seconds, ap, settings(truth, detections)


def settings(truth, detections):
    """Compute the AP in percent under common settings whose effect users may not know."""
    import numpy as np

    from mmseam.evaluation.functional import WIDERFaceGroundTruth, evaluate_wider_face

    def best(rows, number):
        return rows[np.argsort(-rows[:, 4], kind='stable')[:number]]

    # One pixel less in every width and height compensates for the pixel that the protocol adds.
    smaller = WIDERFaceGroundTruth(truth.keys, truth.boxes - [0, 0, 1, 1], truth.offsets, truth.subsets)
    changes = {
        'as given': (truth, lambda rows: rows),
        'coordinates truncated': (truth, lambda rows: np.column_stack([np.trunc(rows[:, :4]), rows[:, 4]])),
        'at most 300 per image': (truth, lambda rows: best(rows, 300)),
        'score at least .25': (truth, lambda rows: rows[rows[:, 4] >= .25]),
        'IoU without + 1': (smaller, lambda rows: rows - [0, 0, 1, 1, 0]),
    }
    table = {}
    for name, (faces, change) in changes.items():
        results = evaluate_wider_face(faces, {key: change(rows) for key, rows in detections.items()})
        table[name] = {subset: 100 * result.ap for subset, result in results.items()}
    table['MATLAB int32'] = {subset: 100 * result.ap for subset, result in evaluate_wider_face(
        truth, detections, int32_compat=True).items()}
    return table


def show(seconds, ap, effects, peak):
    """Print the three tables."""
    from rich.console import Console
    from rich.table import Table
    console = Console()
    table = Table(title=f'seconds; peak memory of the process {peak:.2f} GB')
    table.add_column('part')
    table.add_column('s', justify='right')
    table.add_column('plain / this', justify='right')
    plain = seconds.get('plain evaluator, three subsets')
    for part, value in seconds.items():
        ratio = f'{plain / value:.0f} x' if plain and part == 'three subsets' else ''
        table.add_row(part, f'{value:.2f}', ratio)
    console.print(table)
    if 'plain' in ap:
        difference = max(abs(ap['plain'][name] - ap['fast'][name]) for name in ap['fast'])
        console.print(f'largest difference of AP to the plain evaluator: {difference:.1e}')
    table = Table('setting', *effects['as given'], title='AP in %')
    for name, values in effects.items():
        table.add_row(name, *(f'{value:.2f}' for value in values.values()))
    console.print(table)


def main():
    args = parse_args()
    import resource

    import mmseam  # noqa: F401  (before any host package)
    from mmseam.utils.atomic_write import atomic_write
    seconds, ap, effects = measure(args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    show(seconds, ap, effects, peak)
    if args.out:
        content = dict(seconds=seconds, ap=ap, settings=effects, peak_gb=peak)
        with atomic_write(args.out) as file:
            file.write(json.dumps(content, indent=1) + '\n')


if __name__ == '__main__':
    main()
