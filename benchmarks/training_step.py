"""Measure a training step: normalization, forward, loss, backward, gradient clipping and optimizer step.

The batch is fixed noise with boxes, without a data loader; both sides omit the exponential moving average. The
learning rate of 1e-6 hardly changes the network, so that every step does the same work. CUDA uses mixed precision.
"""
from common import (
    benchmark_parser,
    compare,
    goal,
    machine,
    parse_benchmark_args,
    peer_contender,
    print_summary,
    summary,
    write_json,
)
from networks import HEADS, NO_ATTENTION, SIZES, build_detector, load_network_config
from worker import Contender

# On CPUs the configs train channels-last and keep freed memory (mmseam.ChannelsLastHook, mmseam.KeepMemoryHook).
OURS, PEER = ('as configured', 'channels-last alone', 'neither'), 'peer'


def parse_args():
    parser = benchmark_parser(__doc__, rounds=5, repeats=3)
    parser.add_argument('--size', default='n', choices=SIZES, help='network size (default: n)')
    parser.add_argument('--head', default='multiseam', choices=[head for head in HEADS if head != NO_ATTENTION])
    parser.add_argument('--imgsz', type=int, help='side length of the images (default: 320; 640 with CUDA)')
    parser.add_argument('--batch', type=int, help='images per step (default: 16; 64 with CUDA)')
    parser.add_argument('--boxes', type=int, default=8, help='boxes per image (default: %(default)s)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='default: cuda if available')
    return parse_benchmark_args(parser)


def step(size: str, head: str, form: str, imgsz: int, batch: int, boxes: int, device: str):
    """Run a step like MMEngine's loop, with the optimizer of the config."""
    import torch
    from mmengine.optim import build_optim_wrapper
    from synthetic import labeled_images

    from mmseam.engine.hooks.keep_memory_hook import keep_freed_memory
    images, labels = labeled_images(batch, imgsz, boxes)
    model = build_detector(size, head, imgsz).to(device).train()
    if form == OURS[0] and device == 'cpu':
        keep_freed_memory()
    if form != OURS[-1]:
        model, images = (item.to(memory_format=torch.channels_last) for item in (model, images))
    wrapper_cfg = load_network_config(size, head).optim_wrapper
    wrapper_cfg.optimizer.lr = 1e-6
    if device == 'cuda':
        wrapper_cfg.type = 'mmseam.AccumulatingAmpOptimWrapper'
    optimizer = build_optim_wrapper(model, wrapper_cfg)
    center, half = imgsz * labels[:, 1:3], imgsz / 2 * labels[:, 3:]
    rows = torch.cat([labels[:, :1], torch.zeros(len(labels), 1), center - half, center + half], 1)
    facts = {}

    def run():
        data = dict(inputs=images, data_samples=dict(bboxes_labels=rows))
        facts['loss'] = model.train_step(data, optimizer)['loss'].item()

    return run, facts


def main():
    args = parse_args()
    import torch
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    cuda = args.device == 'cuda'
    args.imgsz, args.batch = args.imgsz or (640 if cuda else 320), args.batch or (64 if cuda else 16)
    shared = {key: getattr(args, key) for key in ('size', 'head', 'imgsz', 'batch', 'boxes', 'device')}
    contenders = peer_contender(args, PEER, 'ultralytics_peer:training_step', shared)
    contenders += [Contender(form, 'training_step:step', dict(shared, form=form)) for form in OURS]
    comparison = compare(contenders, args.rounds, args.repeats, args.threads)
    reference = contenders[0].name
    rows = summary(comparison, reference, args.batch)
    print_summary(f'training step, yolo11{args.size}, {args.head}, {args.imgsz} x {args.imgsz}, batch {args.batch}, '
                  f'{args.device}', rows, reference)
    speed = comparison.ratio(PEER, OURS[0])
    goals = [goal('images per second over the peer\'s', speed and speed['median'], 1.15, at_most=False)]
    write_json(args.out, dict(options=vars(args), machine=machine(), contenders=rows, goals=goals))


if __name__ == '__main__':
    main()
