"""Readers of annotations, results and ground truth: valid inputs, and the errors that they document."""
import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, Callable

import numpy as np
from hypothesis import strategies as st
from mutation import mutate
from scipy.io import savemat
from target import FOUR_NUMBERS, NUMBERS, TEXT_LINES, Target, encoded, nearly, nearly_dict

from mmseam.datasets import WIDERFaceFormatError, read_wider_face_annotations
from mmseam.datasets.coco_file import CocoFormatError
from mmseam.datasets.occlusion import load_samples
from mmseam.datasets.wider_face.from_coco import convert_coco_to_wider_face
from mmseam.evaluation.functional import (
    GroundTruthFormatError,
    ResultsFormatError,
    read_detections,
    read_image_names,
    read_official_ground_truth,
)
from mmseam.utils.wider_face_names import WIDER_FACE_ATTRIBUTES

# ======================== Annotations ========================
ANNOTATIONS = (b'e/a.jpg\n2\n1 2 30 40 0 0 1 0 2 0 \n-3 4.5 6 7 2 1 0 1 0 1 \ne/none.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n'
               b'f/b c.JPG\r\n1\r\n10 20 3 4 0 0 0 0 1 0\r\n')


def read_annotations(path: Path) -> None:
    annotations = read_wider_face_annotations(path)
    assert np.isfinite(annotations.boxes).all() and annotations.offsets[-1] == len(annotations.boxes)
    assert len(annotations.offsets) == len(annotations.file_names) + 1


FACE = dict(id=1, image_id=7, category_id=1, bbox=[1, 2, 30, 40], attributes=dict.fromkeys(WIDER_FACE_ATTRIBUTES, 1))
COCO = dict(images=[dict(id=7, file_name='e/a.jpg', width=9, height=9), dict(id=8, file_name='e/b.jpg')],
            annotations=[FACE, dict(FACE, id=2)], categories=[dict(id=1, name='face')])
COCO_STRATEGY = encoded(nearly_dict(
    images=st.one_of(st.just(COCO['images']), st.lists(nearly_dict(
        id=st.integers(7, 8), file_name=st.sampled_from(['e/a.jpg', 'e/b.jpg'])), max_size=2)),
    annotations=st.lists(nearly_dict(
        id=st.integers(), image_id=st.integers(7, 8), category_id=st.just(1), bbox=FOUR_NUMBERS,
        attributes=nearly_dict(**{name: st.integers(0, 2) for name in WIDER_FACE_ATTRIBUTES})), max_size=2)))


def write_images(folder: Path) -> None:
    (folder / 'e').mkdir(exist_ok=True)
    for name in ('a.jpg', 'b.jpg'):
        (folder / 'e' / name).touch()


def read_samples(path: Path) -> None:
    for sample in load_samples(path, path.parent, missing='skip'):
        assert sample.boxes.shape == (len(sample.ignore), 4) and np.isfinite(sample.boxes).all()
        assert path.parent in sample.path.parents


# ======================== Results ========================
RESULT_TEXT = b'a\n2\n1 2 3 4 0.5 \n-10.25 20 30 40.5 9e-1 \n'
RESULT_FILES = {'e/a.txt': RESULT_TEXT, 'e/b.txt': b'b\n0\n', 'f/c.txt': b'c.jpg\r\n1\r\n1 2 3 4 1\r\n'}
DETECTIONS = [dict(image_id='e/a.jpg', category_id=1, bbox=[1, 2, 3.5, 4], score=.5), dict(
    image_id='e/b.jpg', category_id=1, bbox=[1, 2, 3, 4], score=1)]
PREDICTIONS = [dict(img_path=f'x/e/{name}.jpg', pred_instances=dict(bboxes=boxes, scores=[.5] * len(boxes),
                                                                    labels=[0] * len(boxes)))
               for name, boxes in (('a', [[1, 2, 3, 4], [5., 6, 7, 8]]), ('b', []))]
DETECTION_STRATEGY = encoded(nearly(st.lists(nearly_dict(
    image_id=st.sampled_from(['e/a.jpg', 'x/e/a', 'e/b.jpg']), category_id=st.just(1), score=st.floats(0, 1),
    bbox=FOUR_NUMBERS), max_size=4)))
PREDICTION_STRATEGY = encoded(nearly(st.lists(nearly_dict(
    img_path=st.sampled_from(['e/a.jpg', 'e/b.jpg']), pred_instances=nearly_dict(
        bboxes=st.lists(FOUR_NUMBERS, max_size=2), scores=st.lists(NUMBERS, max_size=2),
        labels=st.lists(st.just(0), max_size=2))), max_size=3)))


def read_results(path: Path) -> None:
    for rows in read_detections(path).values():
        assert rows.dtype == np.float64 and rows.shape[1:] == (5, ) and np.isfinite(rows).all()


def read_result_text(path: Path) -> None:
    read_results(path.parent.parent)


def zip_archive(files: dict, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def tar_archive(files: dict, compression: str = '') -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f'w:{compression}') as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def pack_tar(generator: random.Random) -> bytes:
    """Make a damaged tar that is compressed correctly."""
    compress = generator.choice((gzip.compress, bz2.compress, lzma.compress, bytes))
    return compress(mutate([tar_archive(RESULT_FILES)], generator))


def pack_zip(generator: random.Random) -> bytes:
    """Make a valid zip of damaged result files with odd names."""
    names = [*RESULT_FILES, generator.choice(('../x/a.txt', '/x/a.txt', 'x/e/a.txt', 'e/\0.txt', 'readme.txt'))]
    return zip_archive({name: mutate(list(RESULT_FILES.values()), generator) for name in names})


# ======================== Ground truth ========================
def cells(*values: Any) -> np.ndarray:
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = values
    return column


def mat_file(compressed: bool = False, **content: Any) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, content, do_compression=compressed)
    return buffer.getvalue()


FACES_MAT = dict(
    event_list=cells('0--Parade', '1--Talk'), file_list=cells(cells('a', 'b'), cells('c')),
    face_bbx_list=cells(cells(np.array([[1, 2, 3, 4], [-5, 6, 700, 80000]], np.int32), np.zeros((0, 4))),
                        cells(np.array([[.5, 6, 7, 8]]))),
    **{f'{name}_label_list': cells(cells(np.ones((2, 1), np.uint8), []), cells(np.ones((1, 1)))) for name in
       WIDER_FACE_ATTRIBUTES})
KEPT_MAT = dict(gt_list=cells(cells(np.array([[1], [2]], np.uint8), []), cells(np.ones((1, 1)))))


def write_ground_truth(folder: Path) -> None:
    (folder / 'wider_face_val.mat').write_bytes(mat_file(**FACES_MAT))
    for name in ('easy', 'medium', 'hard'):
        (folder / f'wider_{name}_val.mat').write_bytes(mat_file(**KEPT_MAT))


def pack_mat(variables: dict) -> Callable[[random.Random], bytes]:
    """Damaged variables, properly compressed."""

    def pack(generator: random.Random) -> bytes:
        content = [mat_file(**{name: value})[128:] for name, value in variables.items()]
        damaged = generator.randrange(len(content))
        content[damaged] = mutate([content[damaged]], generator)
        compressed = [zlib.compress(variable) for variable in content]
        return mat_file()[:128] + b''.join(
            (15).to_bytes(4, 'little') + len(variable).to_bytes(4, 'little') + variable for variable in compressed)

    return pack


def mat_target(name: str, variables: dict, file: str) -> Target:
    return Target(name, [mat_file(**variables), mat_file(True, **variables)],
                  lambda path: read_official_ground_truth(path.parent), [GroundTruthFormatError], file,
                  setup=write_ground_truth, pack=pack_mat(variables))


TARGETS = [
    Target('annotation text', [ANNOTATIONS], read_annotations, [WIDERFaceFormatError], strategy=TEXT_LINES),
    Target('coco annotations', [json.dumps(COCO).encode()],
           lambda path: convert_coco_to_wider_face(path, path.with_suffix('.txt')), [WIDERFaceFormatError], 'a.json',
           COCO_STRATEGY),
    Target('boxes of a coco file', [json.dumps(COCO).encode()], read_samples, [CocoFormatError, FileNotFoundError],
           'a.json', COCO_STRATEGY, write_images),
    Target('coco image names', [json.dumps(COCO).encode()], read_image_names, [ResultsFormatError], 'a.json',
           COCO_STRATEGY),
    Target('result text', [RESULT_TEXT], read_result_text, [ResultsFormatError], 'results/e/a.txt', TEXT_LINES),
    Target('coco results', [json.dumps(DETECTIONS).encode()], read_results, [ResultsFormatError], 'r.json',
           DETECTION_STRATEGY),
    Target('mmengine json', [json.dumps(PREDICTIONS).encode()], read_results, [ResultsFormatError], 'r.json',
           PREDICTION_STRATEGY),
    Target('zip of results', [zip_archive(RESULT_FILES), zip_archive(RESULT_FILES, zipfile.ZIP_STORED)], read_results,
           [ResultsFormatError], 'r.zip', pack=pack_zip),
    Target('tar of results', [tar_archive(RESULT_FILES, kind) for kind in ('', 'gz', 'bz2', 'xz')], read_results,
           [ResultsFormatError], 'r.tar', pack=pack_tar),
    mat_target('mat of faces', FACES_MAT, 'wider_face_val.mat'),
    mat_target('mat of a keep-list', KEPT_MAT, 'wider_hard_val.mat'),
]
