"""A tiny study with an own layer, through the command: killed, resumed, changed."""
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from coco_files import coco_box, write_coco

LAYER = '''
import torch
from mmseam.registry import MODELS


@MODELS.register_module()
class StudyScale(torch.nn.Module):
    """Scale all channels by one learned number."""

    def __init__(self, in_channels):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.scale
'''


@pytest.fixture
def study_file(tmp_path):
    faces = [coco_box((10, 10, 40, 50)), coco_box((60, 20, 30, 30))]
    write_coco(tmp_path / 'faces', {f'{i}.jpg': faces for i in range(8)})
    (tmp_path / 'scale_layer.py').write_text(LAYER)
    data = dict(annotations='faces/train.json', images='faces/images')
    head = 'model.bbox_head.head_module.'
    path = tmp_path / 'tiny.yaml'
    path.write_text(yaml.safe_dump(dict(
        title='Tiny', config='yolo11_n_syncbn_fast_8xb16-500e_coco.py', classes=['face'], epochs=3, image_size=64,
        batch_size=4, seeds=[0], baseline='plain', modules=['scale_layer.py'], train=[data],
        evaluate=dict(faces=dict(data, occlusion=True)), occlusion=dict(kinds=['lower'], fractions=[0, 0.5]),
        cfg_options={'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False,
                     'test_dataloader.num_workers': 0},
        variants=dict(plain={}, scaled=dict(cfg_options={
            head + 'type': 'mmseam.AttentionHeadModule', head + 'attention_cfg': dict(type='mmseam.StudyScale')})))))
    return path


def start(repo, study_file, work_dir, *options):
    command = [sys.executable, repo / 'tools' / 'study.py', study_file, '--work-dir', work_dir, '--resamples', '20']
    return subprocess.Popen([*map(str, command), *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, 'OMP_NUM_THREADS': '1'})


def finish(process):
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 0, output
    return output


def numbers(work_dir):
    summary = json.loads((work_dir / 'report' / 'summary.json').read_text())
    return {key: summary[key] for key in ('estimates', 'differences', 'occlusion_estimates')}


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def break_plain(study_file, **changes):
    """Let the training of the variant `plain` fail at once."""
    content = {**yaml.safe_load(study_file.read_text()), **changes}
    content['variants']['plain'] = dict(cfg_options={'model.backbone.widen_factor': 'wide'})
    study_file.write_text(yaml.safe_dump(content))


@pytest.mark.slow
def test_killed_study_ends_with_the_same_table(repo, study_file, tmp_path):
    calm, killed = tmp_path / 'calm', tmp_path / 'killed'
    finish(start(repo, study_file, calm))
    assert 'scaled' in numbers(calm)['estimates']
    assert 'lower' in numbers(calm)['occlusion_estimates']['plain']['faces']['AP50']
    for moment in ('runs/plain_seed0/epoch_1.pth', 'runs/scaled_seed0/epoch_2.pth'):
        process = start(repo, study_file, killed)
        wait_for(killed / moment, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finish(start(repo, study_file, killed))
    assert numbers(killed) == numbers(calm)
    assert 'resum' in (killed / 'logs' / 'scaled_seed0.txt').read_text().lower()

    before = {path: path.stat().st_mtime_ns for path in (calm / 'results').glob('*.json')}
    content = yaml.safe_load(study_file.read_text())
    content['variants']['scaled']['cfg_options']['model.test_cfg.max_per_img'] = 100
    study_file.write_text(yaml.safe_dump(content))
    finish(start(repo, study_file, calm))
    changed = {path.name for path, stamp in before.items() if path.stat().st_mtime_ns != stamp}
    assert changed == {'scaled_seed0.json'}  # only this run has another config


@pytest.mark.slow
def test_interrupt_ends_jobs_and_the_same_command_resumes_them(repo, study_file, tmp_path):
    work_dir, options = tmp_path / 'work', ['--slurm', 'local']
    process = start(repo, study_file, work_dir, *options)
    wait_for(work_dir / 'runs' / 'plain_seed0' / 'epoch_1.pth', process)
    process.send_signal(signal.SIGINT)
    assert 'interrupted; run the same command again to resume' in process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert not (work_dir / 'results' / 'plain_seed0.json').exists()
    finish(start(repo, study_file, work_dir, *options))  # it waits for the lock of a job that has not ended
    assert set(numbers(work_dir)['estimates']) == {'plain', 'scaled'}


def test_failed_job_is_named_with_its_log(repo, study_file, tmp_path):
    break_plain(study_file)
    process = start(repo, study_file, tmp_path / 'work', '--slurm', 'local', '--only', 'plain')
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 1 and 'error: 1 runs failed: plain, seed 0: ' in output
    assert '_log.err)' in output


@pytest.mark.slow
def test_failed_run_is_named_and_the_others_go_on(repo, study_file, tmp_path):
    break_plain(study_file, epochs=1)
    output, code = (process := start(repo, study_file, tmp_path / 'work')).communicate()[0], process.returncode
    assert code == 1 and 'error: 1 runs failed: plain, seed 0: ' in output and 'plain_seed0.txt' in output
    assert (tmp_path / 'work' / 'results' / 'scaled_seed0.json').is_file()
