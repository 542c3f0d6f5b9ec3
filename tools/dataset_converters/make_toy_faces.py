"""Create a toy dataset of drawn, partially occluded faces in the layout of WIDER FACE."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Create a small dataset of drawn faces behind masks, hands, bars and each other, in exactly the '
        'layout of WIDER FACE, with correct attributes. The same options give the same files; a complete dataset with '
        'the same options is not changed.')
    parser.add_argument('out_dir', help='folder of the dataset: new, empty, or created by this tool')
    parser.add_argument('--train', type=int, default=600, help='number of training images (default: %(default)s)')
    parser.add_argument('--val', type=int, default=150, help='number of validation images (default: %(default)s)')
    parser.add_argument('--size', type=int, default=256,
                        help='side length of the images in pixels (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='random seed (default: %(default)s)')
    parser.add_argument('--workers', type=int, help='number of processes (default: the number of cores, at most 8)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmseam.datasets.toy_faces import make_toy_faces

    try:
        summary = make_toy_faces(args.out_dir, args.train, args.val, args.size, args.seed, args.workers,
                                 show_progress=True)
    except (FileExistsError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    for split, numbers in summary.items():
        print(f'{split}: {numbers["images"]} images ({numbers["images_without_faces"]} without faces), '
              f'{numbers["faces"]} faces: {numbers["occlusion_none"]} not occluded, {numbers["occlusion_partial"]} '
              f'partially, {numbers["occlusion_heavy"]} heavily')
    print(f'The dataset is in {args.out_dir}')


if __name__ == '__main__':
    main()
