"""Readers of pickles and checkpoints: valid inputs, and the errors that they document."""
import io
import json
import pickle
import random
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch
from data_targets import read_results
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mutation import mutate
from target import JUNK, Target, nearly

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / 'test_convert')]
from conversion_cases import write_checkpoint  # noqa: E402
from small_detector import METADATA  # noqa: E402

from mmseam.compat.safe_checkpoints import CheckpointFileError  # noqa: E402
from mmseam.convert.errors import CheckpointError  # noqa: E402
from mmseam.convert.ultralytics_reader import read_ultralytics_checkpoint  # noqa: E402
from mmseam.evaluation.functional import ResultsFormatError  # noqa: E402
from mmseam.inference.metadata import ModelMetadata  # noqa: E402


def predictions(wrap: Callable) -> list:
    """Make predictions like those of MMEngine's ``DumpResults``."""
    return [dict(img_path=f'x/e/{name}.jpg', img_id=3, ori_shape=(3, 4), flip=None, scale_factor=(np.float32(1), 2.),
                 pred_instances=dict(bboxes=wrap(np.ones((count, 4))), scores=wrap(np.ones(count, np.float32)),
                                     labels=wrap(np.zeros(count, int))))
            for name, count in (('a', 2), ('b', 0))]


def saved(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def ultralytics_file() -> bytes:
    """Make a checkpoint like those of Ultralytics, with few weights."""
    buffer = io.BytesIO()
    write_checkpoint(buffer, {'model.0.conv.weight': torch.ones(2, 3, 1, 1).half(), 'model.0.bn.weight': torch.ones(2),
                              'model.0.bn.num_batches_tracked': torch.tensor(3)}, layers=('Conv', 'Detect'))
    return buffer.getvalue()


def mmengine_file(**options: Any) -> bytes:
    """Make a checkpoint like those of MMEngine, with few weights."""
    history = HistoryBuffer([1., 2.], [1, 1])
    return saved(dict(
        meta=dict(epoch=1, dataset_meta=dict(classes=('face', ))),
        state_dict=torch.nn.Linear(2, 1).state_dict(),
        message_hub=dict(log_scalars={'train/loss': history}, runtime_info=dict(ap=np.float64(.5)), resumed_keys={}),
        optimizer=dict(state={0: dict(momentum_buffer=torch.ones(1, 2))}, param_groups=[dict(lr=.1, params=[0, 1])])),
        **options)


def pack_checkpoint(seed: bytes) -> Callable[[random.Random], bytes]:
    """Make a valid zip of a damaged pickle."""
    with zipfile.ZipFile(io.BytesIO(seed)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in members if name.endswith('data.pkl'))

    def pack(generator: random.Random) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, 'w') as archive:
            for name, content in members.items():
                archive.writestr(name, mutate([content], generator) if name == pickled else content)
        return buffer.getvalue()

    return pack


def load_checkpoint(path: Path) -> None:
    CheckpointLoader.load_checkpoint(str(path), 'cpu', logger='silent')


class MetadataRefused(Exception):
    """The message of ``ModelMetadata`` itself, not one of the many other kinds of ``ValueError``."""


FIELDS = ModelMetadata(**METADATA).to_strings()
FIELD_STRATEGY = st.fixed_dictionaries({
    name: nearly(st.one_of(st.just(text), st.just(text), st.just(text), JUNK.map(json.dumps)))
    for name, text in FIELDS.items()}).map(lambda fields: json.dumps(fields).encode())


def read_metadata(path: Path) -> None:
    """Read the fields of an exported file from JSON; exported files contain only strings."""
    try:
        fields = json.loads(path.read_bytes().decode(errors='replace'))
    except (ValueError, RecursionError):
        fields = {}
    fields = {**FIELDS, **fields} if isinstance(fields, dict) else {}
    try:
        metadata = ModelMetadata.from_strings({name: str(text) for name, text in fields.items()})
    except ValueError as error:
        if not str(error).startswith('the metadata '):
            raise
        raise MetadataRefused from error
    assert 1 <= len(metadata.classes) <= 100_000 and len(metadata.mean) == len(metadata.std) == 3
    assert np.isfinite([*metadata.mean, *metadata.std, metadata.pad_value]).all() and min(metadata.std) > 0
    assert 0 < min(metadata.strides) <= max(metadata.strides) <= min(metadata.input_size)
    assert (metadata.test_cfg['nms'] or {}).get('type', 'nms') in ('nms', 'soft_nms')


ULTRALYTICS, MMENGINE = ultralytics_file(), mmengine_file()
TARGETS = [
    Target('results pickle', [pickle.dumps(predictions(wrap), protocol) for wrap in (np.asarray, torch.from_numpy)
                              for protocol in (2, 4)], read_results, [ResultsFormatError], 'r.pkl'),
    Target('ultralytics pt', [ULTRALYTICS], read_ultralytics_checkpoint, [CheckpointError], 'a.pt',
           pack=pack_checkpoint(ULTRALYTICS)),
    Target('mmengine pth', [MMENGINE, mmengine_file(_use_new_zipfile_serialization=False)], load_checkpoint,
           [CheckpointFileError], 'a.pth', pack=pack_checkpoint(MMENGINE)),
    Target('exported metadata', [json.dumps(FIELDS).encode()], read_metadata, [MetadataRefused], 'a.json',
           FIELD_STRATEGY),
]
