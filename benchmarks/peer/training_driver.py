"""Ultralytics' side of ``recipe_parity.py``: train, or record the schedule; runs with the peer's interpreter.

    python training_driver.py trace OUT.json --images 600 --batch 16 --epochs 100
    python training_driver.py trace OUT.json --images 117266 --batch 128 --epochs 500 --classes 80 --every 20
    python training_driver.py start OUT --weights yolo11n-pose.pt
    python training_driver.py train OUT --imgsz 160 --epochs 10 --seed 0

OUT already contains ``faces.yaml``, ``val.json`` and the images. ``trace`` needs neither images nor a network: the
trainer's own loop runs over empty batches.
"""
import argparse
import itertools
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy
import torch
import torchvision_stub  # noqa: F401  (before ultralytics, whose torchvision may not fit its torch)

if not hasattr(numpy, 'trapz'):  # gone from NumPy 2.4
    numpy.trapz = numpy.trapezoid  # noqa: NPY201
from ultralytics import YOLO  # noqa: E402
from ultralytics.engine import predictor  # noqa: E402
from ultralytics.engine.trainer import BaseTrainer  # noqa: E402
from ultralytics.models.yolo.detect import DetectionTrainer  # noqa: E402
from ultralytics.nn.modules import head as modules_of_heads  # noqa: E402
from ultralytics.nn.tasks import DetectionModel  # noqa: E402

WARM_UP_EPOCHS = 3


# ======================== Schedule ========================
class NoNetwork(torch.nn.Module):
    """One weight, one normalization layer and one bias, for the three parameter groups; without gradients."""

    def __init__(self, classes):
        super().__init__()
        self.conv, self.norm, self.nc = torch.nn.Conv2d(1, 1, 1), torch.nn.BatchNorm2d(1), classes

    def forward(self, batch):
        return SimpleNamespace(backward=lambda: None), torch.zeros(1)


class NoData(list):
    """As many empty batches as the images would fill, of which an epoch runs ``most``."""

    most = None

    def __init__(self, images, batch):
        super().__init__([dict(img=torch.zeros(2, 1, 2, 2), cls=torch.zeros(0))] * math.ceil(images / batch))
        self.dataset, self.num_workers = range(images), 0

    def __iter__(self):
        return itertools.islice(super().__iter__(), self.most)

    def reset(self):
        pass


class ScheduleTrainer(BaseTrainer):
    """Ultralytics' training loop and schedule without data, network, validation and files."""

    def __init__(self, images, classes, **overrides):
        self.images, self.classes, self.num_steps = images, classes, 0
        self.iterations, self.rows, self.steps = [], [], []
        super().__init__(overrides=dict(overrides, device='cpu', val=False, plots=False, amp=False, save=False))

    def get_dataset(self):
        return None, None

    def setup_model(self):
        self.model = NoNetwork(self.classes)

    def set_model_attributes(self):
        pass

    def get_dataloader(self, dataset, batch_size=16, rank=0, mode='train'):
        return NoData(self.images, batch_size)

    def get_validator(self):
        return SimpleNamespace(metrics=SimpleNamespace(keys=[]))

    def label_loss_items(self, loss_items=None, prefix='train'):
        return [] if loss_items is None else {}

    def progress_string(self):
        return ''

    def _close_dataloader_mosaic(self):
        pass

    def _clear_memory(self):  # half of the time of a long trace
        pass

    def validate(self):
        return {}, 0

    def save_model(self):
        pass

    def save_metrics(self, metrics):
        pass

    def final_eval(self):
        pass

    def optimizer_step(self):
        super().optimizer_step()
        self.num_steps += 1

    def shorten_later_epochs(self):
        if self.epoch >= WARM_UP_EPOCHS:
            self.train_loader.most = 2

    def note(self):
        first = self.epoch * len(self.train_loader)
        self.iterations.append(max(first, self.iterations[-1] + 1) if self.iterations else 0)
        bias, weight, norm = self.optimizer.param_groups
        self.rows.append([weight['lr'], norm['lr'], bias['lr'], weight.get('momentum'), self.accumulate])
        self.steps.append(self.num_steps)


def runs(values):
    """Group equal neighbors as [value, number]."""
    return [[value, len(list(group))] for value, group in itertools.groupby(values)]


def complete(trainer, stepped):
    """Return all settings, and the numbers of iterations between steps."""
    indices = [index for index, step in enumerate(stepped) if step]
    intervals = [now - last for last, now in zip([-1] + indices, indices)]
    return dict(ema_updates=trainer.ema.updates, settings=runs(trainer.rows), step_intervals=runs(intervals))


def thinned(trainer, stepped, every):
    """Return the settings and steps of a part of the iterations, with their indices in the training."""
    length = len(trainer.train_loader)
    kept = [index for index, iteration in enumerate(trainer.iterations)
            if iteration >= WARM_UP_EPOCHS * length or iteration % every == 0 or iteration % length in (0, length - 1)]
    iterations, rows, steps = ([values[index] for index in kept]
                               for values in (trainer.iterations, trainer.rows, stepped))
    return dict(iterations=iterations, settings=runs(rows), stepped=runs(steps))


def trace(args):
    """Record rates of weights, normalization and biases, momentum, accumulation, and steps.

    With ``--every``, only the warm-up is run completely; later, within an epoch nothing changes.
    """
    trainer = ScheduleTrainer(
        args.images, args.classes, data=None, model='', epochs=args.epochs, batch=args.batch,
        optimizer=args.optimizer, patience=0, project=str(args.out.parent), name=args.out.stem, exist_ok=True,
        verbose=False)
    trainer.add_callback('on_train_batch_end', ScheduleTrainer.note)
    if args.every:
        trainer.add_callback('on_train_epoch_start', ScheduleTrainer.shorten_later_epochs)
    trainer.train()
    stepped = [now != before for before, now in zip([0, *trainer.steps], trainer.steps)]
    args.out.write_text(json.dumps(dict(
        images=args.images, batch=args.batch, epochs=args.epochs, optimizer=args.optimizer, classes=args.classes,
        chosen=type(trainer.optimizer).__name__, weight_decay=trainer.optimizer.param_groups[1]['weight_decay'],
        **thinned(trainer, stepped, args.every) if args.every else complete(trainer, stepped))))


# ======================== Training ========================
def build_network(head):
    """Build a network with one class, and with the published YOLO11 MultiSEAM head for ``head='multiseam'``.

    The classes of the head are added to Ultralytics' module, as users do, so that checkpoints can be loaded.
    """
    torch.manual_seed(0)
    if head == 'plain':
        return DetectionModel('yolo11n.yaml', nc=1, verbose=False)
    from ultralytics_multiseam import ArticleNet
    article = ArticleNet('n', 1, 'Detect_MultiSEAM')
    net, head = article.net, article.head
    head.f, head.i, head.type = article.sources, net.model[-1].i, type(head).__name__
    head.bias_init()
    net.model[-1], net.stride = head, head.stride
    for kind in {type(layer) for layer in head.modules() if type(layer).__module__ == 'builtins'}:
        kind.__module__ = modules_of_heads.__name__
        setattr(modules_of_heads, kind.__qualname__, kind)
    return net


def start(args):
    """Write ``start.pt``: pretrained backbone, neck and matching tensors of the box branch; a new class branch."""
    loaded = torch.load(args.weights, weights_only=False, map_location='cpu')['model'].float().state_dict()
    net = build_network(args.head)
    own = net.state_dict()
    taken = {key: value for key, value in loaded.items()
             if key in own and own[key].shape == value.shape and '.cv3.' not in key}
    net.load_state_dict(taken, strict=False)
    net.names, net.args = {0: 'face'}, {}
    print(f'{len(taken)} of {len(own)} tensors are pretrained')
    torch.save(dict(epoch=-1, model=net, ema=None, train_args=dict(task='detect'), date='', version='8.3.40'),
               args.out / 'start.pt')


class Trainer(DetectionTrainer):
    """Train a given network; Ultralytics' trainer would rebuild it from its YAML and lose a custom head.

    Validation is disabled: the published head fails on images that are not square.
    """

    head = 'plain'

    def get_model(self, cfg=None, weights=None, verbose=True):
        net = build_network(self.head)
        net.load_state_dict(weights.state_dict())
        return net

    def validate(self):
        return {}, 0

    def final_eval(self):
        pass


def train(args):
    """Train on ``faces.yaml`` and write ``detections.json``, the boxes of the EMA weights."""
    build_network(args.head)  # the classes that start.pt names
    Trainer.head = args.head
    model = YOLO(str(args.out / 'start.pt'))
    model.train(
        trainer=Trainer, data=str(args.out / 'faces.yaml'), epochs=args.epochs, imgsz=args.imgsz, batch=args.batch,
        device='cpu', workers=0, optimizer=args.optimizer, close_mosaic=args.close_mosaic, seed=args.seed, val=False,
        plots=False, amp=False, project=str(args.out), name='run', exist_ok=True, verbose=False)
    letterbox = predictor.LetterBox
    predictor.LetterBox = lambda *a, **k: letterbox(*a, **dict(k, auto=False))  # square, not a multiple of 32
    model, found = YOLO(str(args.out / 'run' / 'weights' / 'last.pt')), []
    for image in json.loads((args.out / 'val.json').read_text())['images']:
        path = str(args.out / 'images' / 'val' / image['file_name'])
        boxes = model.predict(path, imgsz=args.imgsz, conf=.001, iou=.7, max_det=300, rect=False, device='cpu',
                              verbose=False)[0].boxes
        found += [dict(image_id=image['id'], category_id=1, bbox=[x1, y1, x2 - x1, y2 - y1], score=score)
                  for (x1, y1, x2, y2), score in zip(boxes.xyxy.tolist(), boxes.conf.tolist())]
    (args.out / 'detections.json').write_text(json.dumps(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('action', choices=[action.__name__ for action in (trace, start, train)])
    parser.add_argument('out', type=Path)
    parser.add_argument('--epochs', type=int, default=10)
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--optimizer', default='SGD', choices=['SGD', 'auto'])
    parser.add_argument('--images', type=int, default=600, help='of a trace')
    parser.add_argument('--classes', type=int, default=1, help='of a trace')
    parser.add_argument('--every', type=int, metavar='N',
                        help='of a trace: every N-th iteration of the warm-up and the first two of each later epoch')
    parser.add_argument('--imgsz', type=int, default=160)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--close-mosaic', type=int, default=10)
    parser.add_argument('--head', default='plain', choices=['plain', 'multiseam'])
    parser.add_argument('--weights', type=Path, help='pretrained network of `start`')
    args = parser.parse_args()
    globals()[args.action](args)


if __name__ == '__main__':
    main()
