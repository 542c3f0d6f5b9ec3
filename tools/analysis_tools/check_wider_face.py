"""Check a copy of WIDER FACE for problems, without changing it.

The exit status is 1 if a problem would stop training or testing, else 0.
"""
import argparse
import json

NAMED_ITEMS = 3
STYLES = dict(error='bold red', warning='yellow', note='')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', help='folder with wider_face_split/ and WIDER_{train,val,test}/images/')
    parser.add_argument('--split', nargs='+', choices=('train', 'val', 'test'), default=['train', 'val'],
                        help='splits to check (default: train val)')
    parser.add_argument('--out', metavar='JSON', help='write the report with all affected files and faces')
    return parser.parse_args()


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from dataclasses import asdict
    from rich.table import Table
    from tqdm import tqdm
    from mmseam.datasets.wider_face.check import check_wider_face
    from mmseam.utils.atomic_write import atomic_write
    from mmseam.analysis.console import wide_console

    findings = []
    for split in args.split:
        findings += check_wider_face(
            args.root, split, lambda images, number, split=split: tqdm(images, f'reading {split}', number, unit='img'))
    table = Table('split', 'level', 'what', 'count', 'where', title=f'{args.root}')
    for finding in findings:
        more = ['…'] if finding.count > NAMED_ITEMS and finding.items else []
        table.add_row(finding.split, finding.level, finding.what, f'{finding.count:,}',
                      '\n'.join(finding.items[:NAMED_ITEMS] + more), style=STYLES[finding.level])
    wide_console().print(table)
    failed = any(finding.level == 'error' for finding in findings)
    if args.out:
        with atomic_write(args.out) as file:
            json.dump(dict(root=args.root, ok=not failed, findings=[asdict(finding) for finding in findings]), file,
                      indent=1, ensure_ascii=False)
        print(f'written: {args.out}')
    raise SystemExit(int(failed))


if __name__ == '__main__':
    main()
