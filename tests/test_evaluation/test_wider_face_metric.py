"""WIDERFaceMetric: a thin shell over the protocol, in one and in several processes."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from full_disk import small_files
from mmengine.structures import InstanceData

from mmseam.evaluation import WIDERFaceMetric
from mmseam.evaluation.functional import (
    evaluate_wider_face,
    ground_truth_from_annotations,
    read_detections,
    select_faces,
)
from mmseam.evaluation.metrics.wider_face_metric import write_submission
from mmseam.utils.atomic_write import NoSpaceError

FACES = {  # by image: xywh, occlusion, invalid
    '0--Parade/first': [((10, 10, 60, 60), 0, 0), ((100, 10, 40, 40), 2, 0), ((200, 200, 12, 12), 1, 0)],
    '1--Meeting/second': [((5, 5, 70, 80), 2, 0), ((150, 20, 55, 60), 0, 1)],
    '1--Meeting/empty': [],
}


def instance(box, occlusion, invalid):
    x, y, w, h = box
    attributes = dict(blur=0, expression=0, illumination=0, invalid=invalid, occlusion=occlusion, pose=0)
    return dict(bbox=[x, y, x + w, y + h], bbox_label=0, ignore_flag=invalid, attributes=attributes)


def samples():
    """Noisy detections of every face, and false ones."""
    rng = np.random.default_rng(0)
    for key, faces in FACES.items():
        boxes = np.array([box for box, _, _ in faces] + [(300, 300, 50, 50)], dtype=np.float64)
        boxes[:, 2:] += boxes[:, :2]
        boxes += rng.uniform(-3, 3, boxes.shape)
        predicted = InstanceData(bboxes=torch.tensor(boxes), scores=torch.tensor(rng.uniform(.1, .9, len(boxes))))
        yield dict(
            img_path=f'data/WIDER_val/images/{key}.jpg',
            instances=[instance(*face) for face in faces],
            pred_instances=predicted)


def annotations(folder):
    """Write the same faces as an official annotation file."""
    lines = []
    for key, faces in FACES.items():
        rows = [f'{" ".join(map(str, box))} 0 0 0 {invalid} {occlusion} 0 ' for box, occlusion, invalid in faces]
        lines += [f'{key}.jpg', str(len(faces)), *(rows or ['0 ' * 10])]
    path = folder / 'wider_face_val_bbx_gt.txt'
    path.write_text('\n'.join(lines) + '\n')
    return path


def test_equals_the_protocol_on_the_written_submission(tmp_path):
    metric = WIDERFaceMetric(submission_dir=str(tmp_path / 'submission'))
    metric.process({}, list(samples()))
    measured = metric.evaluate(size=len(FACES))

    truth = ground_truth_from_annotations(annotations(tmp_path))
    slices = ['occlusion=none', 'occlusion=partial', 'occlusion=heavy']
    subsets = {**truth.subsets, **select_faces(truth, {name: name for name in slices})}
    expected = evaluate_wider_face(truth, read_detections(tmp_path / 'submission'), subsets)
    assert measured == {f'wider_face/{name}': 100 * result.ap for name, result in expected.items()}
    assert list(expected)[:3] == ['derived_easy', 'derived_medium', 'derived_hard']
    # The invalid face is in a slice only.
    assert [result.num_faces for result in expected.values()] == [2, 3, 4, 2, 1, 2]
    assert 0 < measured['wider_face/derived_hard'] <= 100


def test_official_lists_are_called_by_their_names(test_data):
    metric = WIDERFaceMetric(gt_dir=str(test_data / 'wider_face' / 'ground_truth'), slices=['hard & occlusion=heavy'])
    key = '0--Parade/0_Parade_marchingband_1_465'
    predicted = InstanceData(bboxes=torch.tensor([[0., 0., 9., 9.]]), scores=torch.tensor([.5]))
    metric.process({}, [dict(img_path=f'{key}.jpg', pred_instances=predicted)])
    with pytest.warns(UserWarning, match='3225'):
        measured = metric.evaluate(size=1)
    names = ('hard', 'medium', 'easy', 'hard & occlusion=heavy')  # the first one chooses the best checkpoint
    assert list(measured) == [f'wider_face/{name}' for name in names]


def renamed(sample, path):
    return dict(sample, img_path=path)


def test_images_may_share_folder_and_name_where_nothing_goes_by_it(tmp_path):
    first, second, third = samples()
    expected, metric = WIDERFaceMetric(), WIDERFaceMetric()
    expected.process({}, [first, second, third])
    same = [renamed(first, 'a/images/1.jpg'), renamed(second, 'b/images/1.jpg'), renamed(third, 'b/images/1.png')]
    metric.process({}, same)
    assert metric.evaluate(size=3) == expected.evaluate(size=3)
    for metric in (WIDERFaceMetric(submission_dir=str(tmp_path)),
                   WIDERFaceMetric(submission_dir=str(tmp_path), format_only=True)):
        metric.process({}, same)
        with pytest.raises(ValueError, match=r'are the same for .*a/images/1.jpg and .*b/images/1.jpg; rename one'):
            metric.evaluate(size=3)
    assert not list(tmp_path.iterdir())


def test_format_only_writes_and_measures_nothing(tmp_path):
    metric = WIDERFaceMetric(submission_dir=str(tmp_path), format_only=True)
    sample = next(samples())
    del sample['instances']  # the test split has none
    metric.process({}, [sample])
    assert metric.evaluate(size=1) == {}
    lines = (tmp_path / '0--Parade' / 'first.txt').read_text().splitlines()
    assert lines[:2] == ['first', '4'] and len(lines) == 6
    x, y, w, h, score = map(float, lines[2].split())
    left, top, right, bottom = sample['pred_instances'].bboxes[0].tolist()
    assert (x, y, w, h) == (left, top, right - left, bottom - top)  # unrounded
    assert score == sample['pred_instances'].scores[0].item()


def test_missing_annotations_and_options_are_named():
    sample = next(samples())
    del sample['instances']
    with pytest.raises(KeyError, match="add 'instances' to meta_keys"):
        WIDERFaceMetric().process({}, [sample])
    with pytest.raises(ValueError, match='format_only needs submission_dir'):
        WIDERFaceMetric(format_only=True)


def test_a_submission_on_a_full_disk_leaves_the_earlier_one(tmp_path):
    write_submission(tmp_path / 'found', {'e/a': np.ones((1, 5)), 'e/b': np.ones((1, 5))})
    with small_files(), pytest.raises(NoSpaceError, match=f'{tmp_path}/found'):
        write_submission(tmp_path / 'found', {'e/a': np.zeros((1, 5)), 'e/b': np.zeros((9999, 5))})
    texts = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob('*') if path.is_file()}
    assert texts == {f'found/e/{name}.txt': f'{name}\n1\n1.0 1.0 1.0 1.0 1.0\n' for name in 'ab'}


def evaluate_share_of_process():
    """Entry of each process of the test below: every second image, as a distributed sampler gives them."""
    torch.distributed.init_process_group('gloo')
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    every = list(samples())
    metric = WIDERFaceMetric()
    # The sampler repeats an image to give every process as many.
    metric.process({}, (every + every)[rank:4:world])
    measured = metric.evaluate(size=len(every))
    if rank == 0:
        print(measured)
    # A process that ends while the threads of gloo still talk to the other one is aborted now and then.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_measure_the_same():
    metric = WIDERFaceMetric()
    metric.process({}, list(samples()))
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', __file__]
    # This file is their program, and imports from the folder above
    environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(Path(__file__).parents[1]))
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == str(metric.evaluate(size=len(FACES)))


if __name__ == '__main__':
    evaluate_share_of_process()
