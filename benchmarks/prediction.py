"""Measure prediction from image files to boxes, batch 1: mmseam's API, in PyTorch and exported, and the peer's.

mmseam is timed by default, with several concurrent forward passes, and with one at a time. All contenders read the
same folder and use the same postprocessing settings. The weights are random; the class bias is set so that a moderate
number of positions passes the score threshold. The JSON file contains the number of remaining boxes
(`boxes_per_image`), because the time of the NMS depends on it.
"""
import tempfile
from pathlib import Path
from typing import Optional

from common import (
    benchmark_parser,
    compare,
    goal,
    machine,
    parse_benchmark_args,
    peer_contender,
    prepare,
    print_summary,
    summary,
    write_json,
)
from networks import HEADS, NO_ATTENTION, SIZES, build_detector, config_name, export_detector
from worker import Contender

IMAGE_SIZE = (640, 640)
TEST_CFG = dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=1000, nms_pre=30000)
EAGER, EXPORTED, PEER = 'PyTorch', 'ONNX', 'peer'
IN_TURN = '{}, one after the other'


def parse_args():
    parser = benchmark_parser(__doc__, rounds=7, repeats=1)
    parser.add_argument('images', metavar='FOLDER', help='folder with at least two images')
    parser.add_argument('--size', default='n', choices=SIZES, help='network size (default: n)')
    parser.add_argument('--head', default='multiseam', choices=[head for head in HEADS if head != NO_ATTENTION])
    parser.add_argument('--candidates', type=int, default=300,
                        help='positions above the score threshold, on average (default: %(default)s)')
    return parse_benchmark_args(parser)


def files(size: str, head: str, images: str, candidates: int, folder: str):
    """Write config, checkpoint and ONNX file; there is nothing to time."""
    import torch
    from mmengine.config import Config
    from synthetic import read_images, set_class_bias

    from mmseam.utils.config import find_config
    config, settings = Path(folder, 'config.py'), dict(TEST_CFG, multi_label=False)
    config.write_text(f'_base_ = {str(find_config(config_name(size, head)))!r}\nmodel = dict(test_cfg={settings})\n')
    pixels = read_images(images, IMAGE_SIZE[0])
    detector = build_detector(size, head, IMAGE_SIZE[0], pixels)
    module = detector.bbox_head.head_module
    with torch.no_grad():
        logits = torch.cat([level.flatten(1) for level in module.forward_logits(detector.extract_feat(pixels))[0]], 1)
    set_class_bias([branch[-1] for branch in module.cls_preds], logits, candidates, TEST_CFG['score_thr'])
    torch.save(dict(state_dict=detector.state_dict()), Path(folder, 'weights.pth'))
    export_detector(detector, Config.fromfile(str(config)), IMAGE_SIZE, True, Path(folder, 'model.onnx'))
    return None, {}


def ours(images: str, workers: Optional[int], **model):
    """Run a detector of ``mmseam.apis``; the times of its stages are means over the images of the last run."""
    from mmseam.apis import load_detector
    detector = load_detector(**model, device='cpu')
    facts = {}

    def run():
        results = detector(images, TEST_CFG['score_thr'], workers=workers)
        facts['boxes_per_image'] = sum(map(len, results)) / len(results)
        facts['stages_ms'] = {stage: sum(result.speed[stage] for result in results) / len(results)
                              for stage in results[0].speed}

    return run, facts


def list_contenders(args, folder: str) -> list:
    """List the contenders."""
    models = {EAGER: dict(model=f'{folder}/config.py', checkpoint=f'{folder}/weights.pth', images=args.images),
              EXPORTED: dict(model=f'{folder}/model.onnx', images=args.images)}
    arguments = dict(folder=args.images, size=args.size, head=args.head, test_cfg=TEST_CFG, candidates=args.candidates)
    return [
        *peer_contender(args, PEER, 'ultralytics_peer:prediction', arguments),
        *[Contender(name, 'prediction:ours', dict(model, workers=None)) for name, model in models.items()],
        *[Contender(IN_TURN.format(name), 'prediction:ours', dict(model, workers=1)) for name, model in models.items()],
    ]


def main():
    args = parse_args()
    args.images = str(Path(args.images).resolve())
    number = len(list(Path(args.images).iterdir()))
    with tempfile.TemporaryDirectory() as folder:
        arguments = dict(size=args.size, head=args.head, images=args.images, candidates=args.candidates, folder=folder)
        prepare('prediction:files', arguments, args.threads)
        contenders = list_contenders(args, folder)
        comparison = compare(contenders, args.rounds, args.repeats, args.threads)
    reference = contenders[0].name
    rows = summary(comparison, reference, number)
    print_summary(f'{number} images, yolo11{args.size}, {args.head}', rows, reference)
    for name, facts in comparison.facts.items():
        stages = ', '.join(f'{stage} {milliseconds:.1f}' for stage, milliseconds in facts['stages_ms'].items())
        print(f'{name}: {facts["boxes_per_image"]:.0f} boxes per image; ms per image: {stages}')
    goals = []
    limits = {EAGER: 1.3, EXPORTED: 2, IN_TURN.format(EAGER): 1.3, IN_TURN.format(EXPORTED): 2}
    for name, limit in limits.items():
        speed = comparison.ratio(PEER, name)
        text = f'{name}: images per second over the peer\'s'
        goals.append(goal(text, speed and speed['median'], limit, at_most=False))
    write_json(args.out, dict(options=vars(args), machine=machine(), images=number, contenders=rows, goals=goals))


if __name__ == '__main__':
    main()
