"""Measure the forward pass from the normalized image to decoded boxes and scores, in every form of the network.

On a CPU: as trained, deploy form (everything folded, channels-last), the same without channels-last, compiled,
ONNX Runtime, OpenVINO. On a CUDA device: as trained, deploy form, fp16, CUDA graph, compiled. All forms of a network
take turns with a 4096 x 4096 matrix product, which gives the machine's limit: the FLOPs of the convolutions and
linear layers divided by the rate of that product. Weights are random, the seed is fixed.
"""
import tempfile
from pathlib import Path

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
from networks import HEADS, NO_ATTENTION, SIZES, build_detector, export_detector, load_network_config
from worker import Contender, ContenderError

CPU_FORMS = ('eager', 'deploy', 'deploy-contiguous', 'onnxruntime', 'openvino')
CUDA_FORMS = ('eager', 'deploy', 'fp16', 'cuda-graph')
ENGINES = ('onnxruntime', 'openvino')
GEMM, PEER, BARE = 'matrix product', 'peer, fused', f'onnxruntime, {NO_ATTENTION}'


def parse_args():
    parser = benchmark_parser(__doc__, rounds=10, repeats=5)
    parser.add_argument('--sizes', nargs='+', default=['n'], choices=SIZES, help='network sizes (default: n)')
    parser.add_argument('--heads', nargs='+', default=['plain', 'seam', 'multiseam'], choices=list(HEADS))
    parser.add_argument('--forms', nargs='+', metavar='FORM', choices=sorted({*CPU_FORMS, *CUDA_FORMS}),
                        help=f'default: {" ".join(CPU_FORMS)}; with CUDA {" ".join(CUDA_FORMS)}')
    parser.add_argument('--compile', action='store_true', help='add torch.compile, which takes minutes to compile')
    parser.add_argument('--imgsz', type=int, default=640, help='side length of the image (default: %(default)s)')
    parser.add_argument('--batch', type=int, default=1, help='batch size (default: %(default)s)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='default: cuda if available')
    return parse_benchmark_args(parser)


# ======================== Contenders, each in its own process ========================
def network(size: str, head: str, form: str, imgsz: int, batch: int, device: str):
    """Run the network in PyTorch."""
    import torch

    from mmseam.export.export_model import ExportModel
    from mmseam.models.fused import switch_to_deploy
    detector = build_detector(size, head, imgsz)
    images = torch.randn(batch, 3, imgsz, imgsz)
    if form != 'eager':
        switch_to_deploy(detector)
        images = images.to(memory_format=torch.channels_last)
    if form == 'deploy-contiguous':
        detector, images = detector.to(memory_format=torch.contiguous_format), images.contiguous()
    net, images = ExportModel(detector, (imgsz, imgsz)).eval().to(device), images.to(device)
    if device == 'cuda':
        return _cuda(net, images, form), {}
    if form == 'compile':
        net = torch.compile(net)
    return _without_gradients(net, images), {}


def _without_gradients(net, images, synchronize=lambda: None):
    import torch

    def run():
        with torch.inference_mode():
            net(images)
        synchronize()

    return run


def _cuda(net, images, form):
    """Run a form for GPUs; all but ``eager`` and ``deploy`` use fp16."""
    import torch
    if form not in ('eager', 'deploy'):
        net, images = net.half(), images.half()
    if form == 'compile':
        net = torch.compile(net, mode='reduce-overhead')
    if form != 'cuda-graph':
        return _without_gradients(net, images, torch.cuda.synchronize)
    graph = torch.cuda.CUDAGraph()
    _without_gradients(net, images, torch.cuda.synchronize)()
    with torch.inference_mode(), torch.cuda.graph(graph):
        net(images)

    def run():
        graph.replay()
        torch.cuda.synchronize()

    return run


def exported(size: str, head: str, imgsz: int, batch: int, path: str):
    """Export the network; there is nothing to time."""
    export_detector(build_detector(size, head, imgsz), load_network_config(size, head), (imgsz, imgsz), batch > 1, path)
    return None, {}


def onnxruntime(path: str, imgsz: int, batch: int, threads: int):
    """Run the exported network in ONNX Runtime, without importing PyTorch."""
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    images = np.random.default_rng(0).standard_normal((batch, 3, imgsz, imgsz), np.float32)
    return lambda: session.run(None, {'images': images}), dict(version=ort.__version__)


def openvino(path: str, imgsz: int, batch: int, threads: int):
    """Run the exported network in OpenVINO in fp32, without importing PyTorch."""
    import numpy as np
    import openvino as ov
    settings = dict(INFERENCE_PRECISION_HINT='f32', PERFORMANCE_HINT='LATENCY', INFERENCE_NUM_THREADS=threads)
    model = ov.Core().compile_model(path, 'CPU', settings)
    images = np.random.default_rng(0).standard_normal((batch, 3, imgsz, imgsz), np.float32)
    return lambda: model([images]), dict(version=ov.__version__)


# ======================== Comparison ========================
def list_contenders(args, size: str, head: str, folder: Path) -> list:
    """List the contenders for one network."""
    shared = dict(imgsz=args.imgsz, batch=args.batch)
    contenders = peer_contender(args, PEER, 'ultralytics_peer:forward',
                                dict(shared, size=size, head=head, device=args.device)) if head != NO_ATTENTION else []
    for form in [*args.forms, *['compile'] * args.compile]:
        if form not in ENGINES:
            arguments = dict(shared, size=size, head=head, form=form, device=args.device)
            contenders.append(Contender(form, 'forward:network', arguments))
            continue
        contenders.append(_engine(args, form, form, export(args, size, head, folder)))
        if form == 'onnxruntime' and head in ('seam', 'multiseam'):
            contenders.append(_engine(args, BARE, form, export(args, size, NO_ATTENTION, folder)))
    product = dict(size=4096 if args.imgsz >= 320 else 512, device=args.device)
    return [*contenders, Contender(GEMM, 'worker:matrix_product', product)]


def _engine(args, name: str, engine: str, path: Path) -> Contender:
    arguments = dict(path=str(path), imgsz=args.imgsz, batch=args.batch, threads=args.threads)
    return Contender(name, f'forward:{engine}', arguments)


def export(args, size: str, head: str, folder: Path) -> Path:
    """Return the network as an ONNX file; a separate process writes it on first use."""
    path = folder / f'{size}-{head}.onnx'
    if not path.exists():
        arguments = dict(size=size, head=head, imgsz=args.imgsz, batch=args.batch, path=str(path))
        try:
            prepare('forward:exported', arguments, args.threads)
        except ContenderError as error:  # the contenders that need the file report that it is missing
            print(error)
    return path


def add_limit(comparison, rows: dict, gflops: float) -> float:
    """Add the ratio of each contender's time to the FLOP limit, round by round; return the limit in ms."""
    scale = comparison.facts[GEMM]['gflop'] / gflops
    for name in comparison.seconds:
        ratio = comparison.ratio(name, GEMM)
        rows[name]['over_limit'] = {key: value * scale for key, value in ratio.items()}
    return 1e3 * comparison.median(GEMM) / scale


def measure(args, size: str, head: str, folder: Path) -> dict:
    """Compare the forms of one network."""
    from mmseam.analysis.complexity import model_complexity
    comparison = compare(list_contenders(args, size, head, folder), args.rounds, args.repeats, args.threads)
    reference = PEER if PEER in comparison.seconds else next(iter(comparison.seconds))
    rows = summary(comparison, reference, args.batch)
    gflops = args.batch * model_complexity(load_network_config(size, head), [args.imgsz] * 2).gflops
    limit = add_limit(comparison, rows, gflops)
    rate = comparison.facts[GEMM]['gflop'] / comparison.median(GEMM)
    title = f'yolo11{size}, {head}, {args.imgsz} x {args.imgsz}, batch {args.batch}, {args.device}'
    print_summary(title, rows, reference)
    print(f'{gflops:.2f} GFLOPs; matrix product {rate:.0f} GFLOP/s; limit {limit:.1f} ms; time over limit: ' +
          ', '.join(f'{name} {row["over_limit"]["median"]:.2f}' for name, row in rows.items() if 'over_limit' in row))
    return dict(size=size, head=head, gflops=gflops, gflop_per_second=rate, limit_ms=limit, reference=reference,
                contenders=rows, attention_overhead=comparison.ratio('onnxruntime', BARE))


def check_goals(networks: list) -> list:
    """Check the three goals, for the n network with MultiSEAM."""
    chosen = next((entry for entry in networks if (entry['size'], entry['head']) == ('n', 'multiseam')), None)
    if chosen is None:
        return []
    rows, overhead = chosen['contenders'], chosen['attention_overhead']
    ratio = rows.get('deploy', {}).get('ratio') if chosen['reference'] == PEER else None
    best = min((rows[form]['over_limit']['median'] for form in ('onnxruntime', 'compile')
                if 'over_limit' in rows.get(form, {})), default=None)
    return [
        goal('deploy form over the peer\'s fused forward', ratio and ratio['median'], 0.8),
        goal('ONNX Runtime or compiled over the FLOP limit', best, 1.25),
        goal('exported MultiSEAM over the head without attention', overhead and overhead['median'], 1.08),
    ]


def main():
    args = parse_args()
    import torch

    import mmseam  # noqa: F401  (before any host package)
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    args.forms = args.forms or list(CUDA_FORMS if args.device == 'cuda' else CPU_FORMS)
    with tempfile.TemporaryDirectory() as folder:
        networks = [measure(args, size, head, Path(folder)) for size in args.sizes for head in args.heads]
    print(machine())
    write_json(args.out, dict(options=vars(args), machine=machine(), networks=networks, goals=check_goals(networks)))


if __name__ == '__main__':
    main()
