"""Study files, results, statistics and the report; the trainings are in test_tiny_study.py."""
import csv
import json

import numpy as np
import pytest
import torch
import yaml
from coco_files import coco_box, write_coco
from scipy import stats

from mmseam.analysis.benchmark.measure import device_name
from mmseam.analysis.study import StudyFileError, read_study
from mmseam.analysis.study.study_config import fingerprint, run_config
from mmseam.analysis.study.study_data import pool_training_sets, read_evaluation_set, slice_masks
from mmseam.analysis.study.study_latency import study_device
from mmseam.analysis.study.study_report import markdown
from mmseam.analysis.study.study_results import OcclusionCurve, RunResult
from mmseam.analysis.study.study_statistics import summarize
from mmseam.apis.studying import report_study
from mmseam.evaluation.functional.average_precision import average_precision, match_image

SEEDS = [0, 1, 5]


@pytest.fixture
def study_file(tmp_path):
    """Write a study of three variants on four images in two training sets."""
    for name, size in (('a', 2), ('b', 2)):
        images = {f'{name}{i}.jpg': [coco_box((10, 10, 30, 40), worn='masked'), coco_box((60, 5, 20, 20), worn='free')]
                  for i in range(size)}
        write_coco(tmp_path / name, images)
    content = dict(
        title='A title', config='yolo11_n_syncbn_fast_8xb16-500e_coco.py', classes=['face'], epochs=2, image_size=64,
        batch_size=2, seeds=SEEDS, baseline='plain',
        train=[dict(annotations=f'{name}/train.json', images=f'{name}/images') for name in 'ab'],
        evaluate={'own set': dict(annotations='a/train.json', images='a/images', occlusion=True,
                                  slices=dict(masked=dict(worn='masked'), tall=dict(height=[30, None])))},
        occlusion=dict(kinds=['lower', 'block'], fractions=[0, 0.5]),
        variants=dict(plain=None, seam=dict(
            label='SEAM', cfg_options={'model.bbox_head.head_module.type': 'mmseam.SEAMHeadModule'}), never={}))
    return write_study(tmp_path / 'study.yaml', content)


def write_study(path, content):
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def change(study_file, **changes):
    return write_study(study_file, {**yaml.safe_load(study_file.read_text()), **changes})


def add_control(study_file):
    """Compare the variant `seam` with `never`, too."""
    variants = yaml.safe_load(study_file.read_text())['variants']
    return change(study_file, variants={**variants, 'seam': {**variants['seam'], 'controls': ['never']}})


# ======================== File ========================
def test_runs_in_order_of_seeds(study_file):
    study = read_study(study_file)
    assert study.runs[:4] == [('plain', 0), ('seam', 0), ('never', 0), ('plain', 1)]
    assert study.label('seam') == 'SEAM' and study.label('never') == 'never'
    assert study.train[1].images == study_file.parent / 'b' / 'images'


@pytest.mark.parametrize('changes, message', [
    (dict(sedes=[1]), "unknown key 'sedes'; did you mean 'seeds'"), (dict(seeds=[1, 1]), 'different whole numbers'),
    (dict(seeds=[True]), 'different whole numbers'), (dict(baseline='planes'), 'not among the variants plain'),
    (dict(epochs='ten'), "epochs: expected int, got 'ten'"), (dict(image_size=100), 'image_size: .* multiple of 32'),
    (dict(variants={'a/b': {}}), "'a/b' is not a valid name"), (dict(variants={'plain': dict(cfg_option={})}),
                                                       "variants.plain: unknown key 'cfg_option'"),
    (dict(occlusion=None), 'occlusion: missing'), (dict(train=[dict(images='a')]), r"train\[0\]: .*'annotations'"),
    (dict(train=[]), 'train: expected a list'), (dict(title=None), 'title: expected text'),
    (dict(variants={'plain': {}, 'seam': dict(controls=['sham'])}), "seam.controls: 'sham' is not another variant"),
    (dict(variants={'plain': {}, 'seam': dict(controls=['plain'])}), 'seam.controls: the baseline is compared with'),
    (dict(variants={'plain': {}, 'seam': dict(controls='never')}), 'seam.controls: expected a list'),
    (dict(variants={'plain': {}, 'seam': dict(controls=[['wide']])}), 'is not another variant'),
    (dict(variants={'plain': {}, 'wide': {}, 'seam': dict(controls=['wide', 'wide'])}), "'wide' is listed twice"),
    (dict(start=dict(weights='$NO_SUCH_VARIABLE/x.pt')), 'variable NO_SUCH_VARIABLE is not set')
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else '')
def test_mistakes_are_named(study_file, changes, message):
    with pytest.raises(StudyFileError, match=message) as error:
        read_study(change(study_file, **changes))
    assert str(study_file) in str(error.value)


@pytest.mark.parametrize('text', ['', '- a', '{', 'a: !!python/object/apply:os.system [ls]', '[' * 5000],
                         ids=['empty', 'list', 'syntax', 'code', 'nested'])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / 'study.yaml'
    path.write_text(text)
    with pytest.raises(StudyFileError, match='study.yaml'):
        read_study(path)


# ======================== Data and configs ========================
def test_pool_and_slices(study_file, tmp_path):
    study = read_study(study_file)
    root = pool_training_sets(study.train, study.classes, tmp_path / 'pool.json')
    pool = json.loads((tmp_path / 'pool.json').read_text())
    assert [image['file_name'] for image in pool['images']] == [f'{n}/images/{n}{i}.jpg' for n in 'ab' for i in (0, 1)]
    assert all((root / image['file_name']).is_file() for image in pool['images'])
    assert [annotation['image_id'] for annotation in pool['annotations']] == [1, 1, 2, 2, 3, 3, 4, 4]
    item = study.evaluate['own set']
    image = read_evaluation_set(item, study.classes)[0]
    masks = slice_masks(image, item.slices)
    assert {name: mask.tolist() for name, mask in masks.items()} == dict(
        all=[True, True], masked=[True, False], tall=[True, False])
    assert image.boxes.tolist() == [[10, 10, 40, 50], [60, 5, 80, 25]]


def test_data_errors_are_named(study_file):
    study = read_study(study_file)
    (study_file.parent / 'b' / 'images' / 'b1.jpg').unlink()
    with pytest.raises(StudyFileError, match=r'b/train.json: 1 images are missing.*b1.jpg'):
        run_config(study, 'plain', 0, study_file.parent / 'work')
    study = read_study(change(study_file, classes=['cat']))
    with pytest.raises(StudyFileError, match="the class 'face' is not among"):
        run_config(study, 'plain', 0, study_file.parent / 'work')


def test_fingerprint_changes_with_the_training_only(study_file):
    def prints(variant='plain', seed=0, folder='work', **changes):
        study = read_study(change(study_file, **changes))
        return fingerprint(run_config(study, variant, seed, study_file.parent / folder))

    first = prints()
    assert first == prints(folder='elsewhere') == prints(title='Another') == prints(seeds=[0])
    assert len({first, prints('seam'), prints(seed=1), prints(epochs=3), prints(image_size=96),
                prints(train=[dict(annotations='a/train.json', images='a/images')])}) == 6


def test_overrides_reach_the_config(study_file):
    cfg = run_config(read_study(study_file), 'seam', 5, study_file.parent / 'work')
    assert cfg.model.bbox_head.head_module.type == 'mmseam.SEAMHeadModule'
    assert cfg.model.bbox_head.head_module.num_classes == 1 and cfg.randomness.seed == 5
    assert cfg.train_cfg.max_epochs == 2 and cfg.train_dataloader.batch_size == 2
    sizes = [step['img_scale'] for step in cfg.train_dataloader.dataset.pipeline if 'img_scale' in step]
    assert sizes == [(64, 64)] and cfg.test_dataloader.dataset.pipeline[1].scale == (64, 64)
    study = read_study(change(study_file, variants=dict(plain={'cfg_options': {'model.backbone.type.x': 1}})))
    with pytest.raises(StudyFileError, match=r'variants.plain: cfg_options does not fit'):
        run_config(study, 'plain', 0, study_file.parent / 'work')


# ======================== Results and statistics ========================
def make_result(variant, seed, noise, num_images=30):
    """Match detections of random boxes, farther off with more noise."""
    rng = np.random.default_rng(100 * seed)
    matches, found = [], []
    for _ in range(num_images):
        truth = rng.uniform(0, 80, (3, 2))
        truth = np.hstack([truth, truth + rng.uniform(20, 30, (3, 2))])
        offsets, scores = rng.normal(0, 1, (3, 4)), rng.random(3).astype(np.float32)
        matches.append(match_image(truth + noise * offsets, scores, truth))
        found.append(int(matches[-1].true_positive[0].sum()))
    curve = OcclusionCurve(
        [3] * num_images,
        dict(lower={'0': found, '0.5': [f // 2 for f in found]}, block={'0': found, '0.5': [f // 3 for f in found]}),
        dict(lower={'0': .5, '0.5': .25}, block={'0': .5, '0.5': .125}))
    settings = dict(parameters=1000, gflops=.5)
    return RunResult(variant, seed, 'f' * 16, 'e' * 16, settings, {('own set', 'all'): [matches]}, {'own set': curve})


def test_result_round_trip(tmp_path):
    result = make_result('seam', 3, 4)
    loaded = RunResult.load(result.save(tmp_path))
    for before, after in zip(result.matches['own set', 'all'][0], loaded.matches['own set', 'all'][0]):
        for key in ('scores', 'true_positive', 'ignored', 'num_gt'):
            assert np.array_equal(getattr(before, key), getattr(after, key))
    assert loaded.occlusion == result.occlusion and loaded.settings == result.settings
    assert (loaded.variant, loaded.seed, loaded.fingerprint, loaded.evaluation) == ('seam', 3, 'f' * 16, 'e' * 16)


@pytest.mark.parametrize('damage', ['json', 'npz', 'numbers'])
def test_damaged_results_are_named(tmp_path, damage):
    path = make_result('seam', 3, 4).save(tmp_path)
    if damage == 'json':
        path.write_text('{')
    elif damage == 'npz':
        path.with_suffix('.npz').write_bytes(path.with_suffix('.npz').read_bytes()[:-50])
    else:
        arrays = dict(np.load(path.with_suffix('.npz')))
        np.savez(path.with_suffix('.npz'), **{key: array[:-1] if '/scores/' in key else array
                                             for key, array in arrays.items()})
    with pytest.raises(StudyFileError, match=r'seam_seed3.json: damaged result .*delete it'):
        RunResult.load(path)


@pytest.fixture
def runs():
    """Baseline with three seeds and a worse variant with two."""
    results = [make_result('plain', seed, 2 + .1 * seed) for seed in SEEDS]
    results += [make_result('seam', seed, 4) for seed in SEEDS[:2]]
    return {(result.variant, result.seed): result for result in results}


def test_estimates_and_differences_against_plain_computation(study_file, runs):
    summary = summarize(read_study(study_file), runs, num_resamples=200, progress=False)
    direct = {run: average_precision(result.matches['own set', 'all'][0]).mean() for run, result in runs.items()}
    values = summary['estimates']['plain']['own set']['all']['AP']
    assert values['seeds'] == pytest.approx({seed: direct['plain', seed] for seed in SEEDS})
    assert values['mean'] == pytest.approx(np.mean(list(values['seeds'].values())))
    assert values['spread'] == pytest.approx(np.std(list(values['seeds'].values()), ddof=1))
    found = summary['differences']['seam']['own set']['all']['AP']
    differences = [direct['seam', seed] - direct['plain', seed] for seed in SEEDS[:2]]
    interval = stats.ttest_1samp(differences, 0).confidence_interval()
    assert found['over_seeds'] == pytest.approx((interval.low, interval.high))
    assert found['mean'] == pytest.approx(np.mean(differences))
    low, high = found['over_images']
    assert low < found['mean'] < high < 0
    assert found['over_both'][0] <= low and found['over_both'][1] >= high
    assert 'never' not in summary['estimates'] and 'plain' not in summary['differences']


def test_equal_runs_differ_by_nothing(study_file):
    runs = {('plain', seed): make_result('plain', seed, 3) for seed in SEEDS}
    runs.update({('seam', seed): make_result('seam', seed, 3) for seed in SEEDS})
    summary = summarize(read_study(study_file), runs, num_resamples=50, progress=False)
    for table in (summary['differences']['seam']['own set']['all'], summary['occlusion_differences'][
            'seam']['own set']['recall50']['lower']):
        for value in table.values():
            assert value['mean'] == 0 and list(value['over_images']) == [0, 0] and list(value['over_seeds']) == [0, 0]


def test_controls_are_compared_by_seed(study_file, runs):
    """The difference to a control is that of a study whose baseline it is."""
    runs.update({('never', seed): make_result('never', seed, 3) for seed in SEEDS[1:]})
    other = summarize(read_study(change(study_file, baseline='never')), runs, num_resamples=50, progress=False)
    with_control = add_control(change(study_file, baseline='plain'))
    summary = summarize(read_study(with_control), runs, num_resamples=50, progress=False)
    for kind in ('', 'occlusion_'):
        found, wanted = summary[f'{kind}control_differences'], {'seam': {'never': other[f'{kind}differences']['seam']}}
        assert json.dumps(found) == json.dumps(wanted)  # as text, in which NaN equals NaN
    found = summary['control_differences']['seam']['never']['own set']['all']['AP']
    assert list(found['seeds']) == SEEDS[1:2] and found['mean'] < 0


def test_cost_of_covering(study_file, runs):
    summary = summarize(read_study(study_file), runs, num_resamples=50, progress=False)
    for table in ('occlusion_estimates', 'occlusion_differences'):
        values = summary[table]['seam']['own set']
        for metric in ('AP50', 'recall50'):
            curve, change_of = values[metric]['mean'], values[f'{metric}_change']['mean']['0 → 0.5']
            assert change_of['mean'] == pytest.approx(curve['0.5']['mean'] - curve['0']['mean'])
    assert all(np.isfinite(summary['occlusion_differences']['seam']['own set']['recall50_change']['mean']['0 → 0.5'][
        'over_images']))


def test_intervals_cover_the_truth(study_file):
    """Without an effect, about 5 % of the studies find one over seeds."""
    rng = np.random.default_rng(0)
    from mmseam.analysis.study.study_statistics import Samples, difference
    excluded = 0
    for _ in range(400):
        samples = {(name, seed): Samples(dict(AP=float(rng.normal())), dict(AP=rng.normal(size=20)))
                   for name in ('a', 'b') for seed in range(4)}
        low, high = difference(samples, 'a', 'b', 'AP').over_seeds
        excluded += low > 0 or high < 0
    assert 0.02 < excluded / 400 < 0.09


def test_report_from_results_alone(study_file, runs, tmp_path):
    """Neither data nor weights are needed; every form has the same numbers."""
    for name in 'ab':
        (study_file.parent / name / 'train.json').unlink()
    for result in runs.values():
        result.save(tmp_path / 'results')
    files = {path.name: path for path in report_study(study_file, str(tmp_path), str(tmp_path / 'results'), 50)}
    summary = json.loads(files['summary.json'].read_text())
    mean = summary['estimates']['seam']['own set']['all']['AP']['mean']
    rows = list(csv.DictReader(files['table.csv'].read_text().splitlines()))
    assert {float(row['mean']) for row in rows if (row['label'], row['metric'], row['slice']) == ('SEAM', 'AP', 'all')
            } == {mean}
    line = next(line for line in files['table.md'].read_text().splitlines()
                if line.startswith('| SEAM | ') and '±' in line)
    assert f'{100 * mean:.1f} ±' in line and '[' in line
    assert f'{100 * mean:.1f} $\\pm$' in files['table.tex'].read_text()
    table = files['table.md'].read_text().split('AP at IoU .5 with 0.5 of each box covered, by kind of occluder')[1]
    value = summary['occlusion_estimates']['seam']['own set']['AP50']['block']['0.5']['mean']
    assert '| Variant | lower | block |' in table and value == .125 and ' | 12.5 (' in table.split('| SEAM |')[1]
    assert '| 0 → 0.5 |' in files['table.md'].read_text() and r'0 $\to$ 0.5' in files['table.tex'].read_text()
    assert summary['models']['seam']['latency_ms'] > 0
    for name in ('average_precision.png', 'occlusion_AP50_own_set.png', 'occlusion_recall50_own_set.png'):
        assert files[name].read_bytes().startswith(b'\x89PNG')
    with pytest.raises(StudyFileError, match='no result of'):
        report_study(study_file, str(tmp_path), str(tmp_path / 'empty'))


def test_report_of_controls(study_file, runs, tmp_path):
    runs.update({('never', seed): make_result('never', seed, 3) for seed in SEEDS})
    for result in runs.values():
        result.save(tmp_path / 'results')
    add_control(study_file)
    files = {path.name: path for path in report_study(study_file, str(tmp_path), str(tmp_path / 'results'), 50)}
    differences = json.loads(files['summary.json'].read_text())['control_differences']
    found = differences['seam']['never']['own set']['all']['AP']
    rows = [row for row in csv.DictReader(files['table.csv'].read_text().splitlines())
            if (row['variant'], row['slice'], row['metric']) == ('seam', 'all', 'AP')]
    assert [row['compared_with'] for row in rows] == ['plain', 'never']
    assert float(rows[1]['difference_mean']) == found['mean'] != float(rows[0]['difference_mean'])
    tables = files['table.md'].read_text().split('### ')
    table, = (text for text in tables if text.startswith('own set: AP, difference to a control\n'))
    cells = [cell.strip() for cell in table.strip().splitlines()[-1].strip('|').split('|')]
    assert cells[0] == 'SEAM − never'
    assert cells[2] == ', '.join(f'{100 * value:+.1f}'.replace('-', '−') for value in found['seeds'].values())
    assert sum('difference to a control' in text for text in tables) == 3  # AP, and two occlusion curves


def test_control_without_results_has_no_table(study_file, runs):
    study = read_study(add_control(study_file))
    summary = summarize(study, runs, num_resamples=20, progress=False)
    tables = markdown(study, summary, {})
    assert '| SEAM |' in tables and 'control' not in tables and '()' not in tables


def test_results_name_the_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: f'a GPU called {device}')
    assert device_name(study_device()) == 'a GPU called cuda'


# ======================== The study of this project ========================
def test_page_shows_the_tables_of_the_report(repo):
    folder = repo / 'docs' / 'studies'
    assert (folder / 'masked_faces' / 'report' / 'table.md').read_text() in (folder / 'masked_faces.md').read_text()


@pytest.mark.parametrize('name', ['README.md', 'README_zh-CN.md', *(
    f'configs/{family}/README.md' for family in ('seam', 'multiseam', 'multiseam_lite'))])
def test_rows_in_readmes_are_those_of_the_report(repo, name):
    table = (repo / 'docs' / 'studies' / 'masked_faces' / 'report' / 'table.md').read_text().splitlines()
    labels = {row.split(' | ')[0] for row in table if '±' in row}
    rows = [line for line in (repo / name).read_text().splitlines() if line.split(' | ')[0] in labels]
    assert len(rows) >= 2
    assert set(rows) <= set(table)


@pytest.mark.slow
def test_report_is_that_of_the_results(repo, tmp_path):
    """Two minutes of resampling; the files need neither data nor weights."""
    folder = repo / 'docs' / 'studies' / 'masked_faces'
    files = {path.name: path for path in report_study(folder / 'study.yaml', str(tmp_path), str(folder / 'results'))}
    for name in ('table.md', 'table.tex', 'table.csv'):
        assert files[name].read_text() == (folder / 'report' / name).read_text()
