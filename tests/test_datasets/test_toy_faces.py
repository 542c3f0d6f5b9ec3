"""The toy dataset: deterministic, in WIDER FACE's layout, and truthful about what it shows."""
import json
import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from full_disk import small_files

from mmseam.datasets.toy_faces import make_toy_faces, render_scene
from mmseam.datasets.toy_faces.face import Face
from mmseam.datasets.toy_faces.face_style import sample_style
from mmseam.datasets.toy_faces.scene import MAX_COVERED, OCCLUSION_SHARES
from mmseam.utils.atomic_write import NoSpaceError

TOOL = str(Path(__file__).parents[2] / 'tools' / 'dataset_converters' / 'make_toy_faces.py')
SIZE = 160
PARAMETERS = dict(num_train=9, num_val=5, image_size=SIZE, seed=3)
NAME_LINE, COUNT_LINE = re.compile(r'\d+--[\w-]+/\w+\.jpg'), re.compile(r'\d+')
FACE_LINE = re.compile(r'(-?\d+ ){10}')  # the official files hold a negative width


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp('made') / 'toy'
    return folder, make_toy_faces(folder, num_workers=1, **PARAMETERS)


def parse_split(path):
    """Read the official format plainly, strict about every line; return {name: rows}."""
    lines = path.read_bytes().decode('ascii').split('\n')
    assert lines.pop() == '', 'the file must end with a line break'
    images = {}
    while lines:
        name, count = lines.pop(0), lines.pop(0)
        assert NAME_LINE.fullmatch(name) and COUNT_LINE.fullmatch(count), (name, count)
        rows = [lines.pop(0) for _ in range(max(int(count), 1))]
        assert all(FACE_LINE.fullmatch(row) for row in rows), rows
        if int(count) == 0:
            assert rows == ['0 0 0 0 0 0 0 0 0 0 ']
        assert name not in images
        images[name] = [[int(value) for value in row.split()] for row in rows][:int(count)]
    return images


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def both_splits(folder):
    for split, number in (('train', 9), ('val', 5)):
        yield split, number, parse_split(folder / 'wider_face_split' / f'wider_face_{split}_bbx_gt.txt')


def upright_style(**changes):
    style = sample_style(np.random.default_rng(1), 50, 0, 0, (0, 0))
    return replace(style, **{**dict(roll=0.0, yaw=0.0, blur=0.0, contrast=0.1, gain=1.0), **changes})


def test_official_split_file_passes_the_same_reader(test_data):
    # The reader above is the yardstick of the layout; here it is held against the real thing.
    images = parse_split(test_data / 'wider_face' / 'wider_face_split' / 'wider_face_val_bbx_gt.txt')
    assert len(images) == 3226
    assert sum(map(len, images.values())) == 39708


def test_layout(toy):
    folder, _ = toy
    for split, number, images in both_splits(folder):
        root = folder / f'WIDER_{split}' / 'images'
        on_disk = {path.relative_to(root).as_posix() for path in root.rglob('*.jpg')}
        assert len(images) == number
        assert set(images) == on_disk
        events = [int(name.split('--')[0]) for name in images]
        assert events == sorted(events)
        for name in images:
            data = (root / name).read_bytes()
            assert data[:2] == b'\xff\xd8' and data[-2:] == b'\xff\xd9'
            assert cv2.imread(str(root / name)).shape == (SIZE, SIZE, 3)


def test_boxes_inside_and_attributes_in_range(toy):
    folder, _ = toy
    for _, _, images in both_splits(folder):
        rows = np.array([row for rows in images.values() for row in rows])
        x, y, width, height, blur, expression, illumination, invalid, occlusion, pose = rows.T
        assert x.min() >= 0 and y.min() >= 0 and width.min() >= 8 and height.min() >= 8
        assert (x + width).max() <= SIZE and (y + height).max() <= SIZE
        assert set(blur) | set(occlusion) <= {0, 1, 2}
        assert set(expression) | set(illumination) | set(pose) <= {0, 1}
        assert not invalid.any()


def test_occlusion_follows_from_the_written_share(toy):
    folder, _ = toy
    for split, _, images in both_splits(folder):
        shares = json.loads((folder / 'wider_face_split' / f'toy_covered_fraction_{split}.json').read_text())
        assert list(shares) == list(images)
        for name, rows in images.items():
            expected = [0 if share < 0.1 else 1 if share < 0.4 else 2 for share in shares[name]]
            assert [row[8] for row in rows] == expected
            assert all(0 <= share <= 0.8 for share in shares[name])


def test_summary_and_empty_image(toy):
    folder, summary = toy
    for split, number, images in both_splits(folder):
        classes = [row[8] for rows in images.values() for row in rows]
        empty = sum(not rows for rows in images.values())
        assert summary[split] == dict(
            images=number, images_without_faces=empty, faces=len(classes), occlusion_none=classes.count(0),
            occlusion_partial=classes.count(1), occlusion_heavy=classes.count(2))
        assert any(name.startswith('3--No_Face/') and not rows for name, rows in images.items())


@pytest.mark.parametrize('seed', range(6))
def test_covered_share_from_what_is_seen(seed):
    """White face pixels on black, everything nearer painted black over them: the light that remains is uncovered."""
    scene = render_scene(np.random.default_rng(seed), 256)
    for record, face in zip(scene.records, scene.faces):
        canvas = np.zeros(scene.image.shape, np.uint8)
        mask = face.mask
        height, width = mask.values.shape
        canvas[mask.y:mask.y + height, mask.x:mask.x + width] = np.rint(mask.values * 255)[..., None]
        before = canvas.sum(dtype=np.int64)
        for layer in scene.layers[face.depth + 1:]:
            replace(layer, values=layer.values * np.uint8([0, 0, 0, 1])).paste(canvas)
        # 8-bit rounding of every layer, nothing else, stands between both figures.
        assert record.covered == pytest.approx(1 - canvas.sum(dtype=np.int64) / before, abs=0.01)


@pytest.mark.parametrize('seed', range(4))
def test_uncovered_face_pixels_are_unchanged_by_later_layers(seed):
    """A face recorded as not covered at all shows exactly the pixels it was drawn with."""
    scene = render_scene(np.random.default_rng(100 + seed), 256)
    for record, face in zip(scene.records, scene.faces):
        mask, canvas = face.mask, np.zeros(scene.image.shape, np.uint8)
        window = np.s_[mask.y:mask.y + mask.values.shape[0], mask.x:mask.x + mask.values.shape[1]]
        for layer in scene.layers[:face.depth + 1]:
            layer.paste(canvas)
        drawn = canvas[window].copy()
        for layer in scene.layers[face.depth + 1:]:
            layer.paste(canvas)
        changed = np.any(canvas[window] != drawn, axis=2) & (mask.values > 0)
        if record.covered > 0:
            assert changed.any()
        else:  # the share is rounded to four digits: no more than the blended edge of something may lie there
            assert changed.sum() < 0.01 * mask.values.sum()


def test_box_is_the_extent_of_the_whole_face():
    rng = np.random.default_rng(5)
    for _ in range(10):
        face = Face(sample_style(rng, 50, 0.3, 0.1, (0.2, 0.2)), rng.uniform(60, 196, 2), rng.uniform(16, 80), 256)
        x, y, width, height = face.box()
        mask = face.mask
        rows, columns = np.nonzero(mask.values > 0.5)
        assert abs(mask.x + columns.min() - x) <= 1 and abs(mask.x + columns.max() + 1 - x - width) <= 1
        assert abs(mask.y + rows.min() - y) <= 1 and abs(mask.y + rows.max() + 1 - y - height) <= 1


def test_box_is_clipped_at_the_border():
    face = Face(upright_style(), (10, 90), 60, 100)
    x, y, width, height = face.box()
    assert (x, y, y + height) == (0, 60, 100)
    assert 10 < width < 60 * 0.9


@pytest.mark.parametrize(('roll', 'pose'), [(0, 0), (-25, 0), (35, 1), (-45, 1)])
def test_pose_is_the_roll_that_is_seen(roll, pose):
    face = Face(upright_style(roll=float(roll), taper=0.0), (128, 128), 120, 256)
    rows, columns = np.nonzero(face.mask.values > 0.5)
    axis = np.linalg.eigh(np.cov(columns, rows))[1][:, 1]  # the face's long axis
    seen = np.degrees(np.arctan2(-axis[0], axis[1]))
    seen = (seen + 90) % 180 - 90
    assert seen == pytest.approx(roll, abs=3)
    assert face.style.pose_class == pose


@pytest.mark.parametrize('height', [24, 90])
def test_blur_class_orders_sharpness(height):
    def sharpness(blur):
        face = Face(upright_style(blur=blur), (128, 128), height, 256)
        canvas = np.full((256, 256, 3), 120, np.uint8)
        face.draw().paste(canvas)
        return face.style.blur_class, np.abs(cv2.Laplacian(canvas, cv2.CV_32F)).mean()

    (clear, first), (normal, second), (heavy, third) = (sharpness(blur) for blur in (0.005, 0.025, 0.055))
    assert (clear, normal, heavy) == (0, 1, 2)
    assert first > 1.2 * second > 1.2 * 1.2 * third


@pytest.mark.parametrize(('changes', 'expected'), [(dict(), 0), (dict(gain=0.5), 1), (dict(gain=1.5), 1),
                                                   (dict(contrast=0.7, light_angle=0.0), 1)])
def test_illumination_shows(changes, expected):
    def halves(style):
        face = Face(style, (128, 128), 100, 256)
        patch = face.draw()
        canvas = np.zeros((256, 256, 3), np.uint8)
        patch.paste(canvas)
        return canvas[90:170, 98:128].mean(), canvas[90:170, 128:158].mean()

    style = upright_style(skin=(90, 124, 178), hair_style='bald', contrast=0.0)
    plain, changed = halves(style), halves(replace(style, **changes))
    ratio = np.array(changed) / plain
    extreme = ratio.mean() < 0.65 or ratio.mean() > 1.25 or ratio.max() / ratio.min() > 1.5
    assert int(extreme) == expected
    assert replace(style, **changes).illumination_class == expected


def test_exaggerated_expression_opens_the_mouth():
    def mouth(opening):
        canvas = np.full((256, 256, 3), 255, np.uint8)
        style = upright_style(skin=(190, 210, 242), hair_style='bald', beard=False, mouth_open=opening)
        Face(style, (128, 128), 140, 256).draw().paste(canvas)
        return style.expression_class, int((canvas[156:195, 100:156].max(2) < 110).sum())  # below the nostrils

    (calm, closed), (exaggerated, opened) = mouth(0.1), mouth(0.9)
    assert (calm, exaggerated) == (0, 1)
    assert opened > 2 * max(closed, 20)


def test_mixture_makes_occlusion_matter():
    records = [record for seed in range(60) for record in render_scene(np.random.default_rng([7, seed]), 192).records]
    shares = np.bincount([record.occlusion for record in records], minlength=3) / len(records)
    # About half of the faces free; what cannot be placed as drawn shifts the mixture a little.
    np.testing.assert_allclose(shares, OCCLUSION_SHARES, atol=0.08)
    assert max(record.covered for record in records) <= MAX_COVERED
    heights = np.array([record.box[3] for record in records])
    assert np.median(heights) < heights.mean()  # more small faces than large ones


def test_same_bytes_and_independent_of_the_number_of_images(toy, tmp_path):
    folder, _ = toy
    make_toy_faces(tmp_path / 'again', num_workers=1, **PARAMETERS)
    assert contents(tmp_path / 'again') == contents(folder)
    make_toy_faces(tmp_path / 'fewer', num_workers=1, **{**PARAMETERS, 'num_train': 4})
    fewer = {name: data for name, data in contents(tmp_path / 'fewer').items() if name.endswith('.jpg')}
    assert len(fewer) == 4 + 5
    assert fewer.items() <= contents(folder).items()


def test_seed_and_split_change_the_images(toy, tmp_path):
    make_toy_faces(tmp_path / 'other', num_workers=1, **{**PARAMETERS, 'seed': 4})
    images = [data for folder in (toy[0], tmp_path / 'other') for name, data in contents(folder).items()
              if name.endswith('.jpg')]
    assert len(set(images)) == len(images) == 2 * (9 + 5)


def test_same_bytes_from_two_processes(toy, tmp_path):
    make_toy_faces(tmp_path / 'parallel', num_workers=2, **PARAMETERS)
    assert contents(tmp_path / 'parallel') == contents(toy[0])


def test_second_run_leaves_files_untouched(toy):
    folder, summary = toy
    before = {path: path.stat().st_mtime_ns for path in folder.rglob('*')}
    assert make_toy_faces(folder, num_workers=1, **PARAMETERS) == summary
    assert {path: path.stat().st_mtime_ns for path in folder.rglob('*')} == before
    assert [path.name for path in folder.parent.iterdir()] == ['toy']


@pytest.mark.parametrize('damage', ['delete', 'truncate'])
def test_damaged_set_is_made_anew(damage, tmp_path):
    small = dict(num_train=2, num_val=1, image_size=64, num_workers=1)
    make_toy_faces(tmp_path / 'toy', **small)
    good = contents(tmp_path / 'toy')
    victim = next(path for path in (tmp_path / 'toy').rglob('*.jpg'))
    if damage == 'delete':
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:100])
    (tmp_path / 'toy' / 'wider_face_split' / 'wider_face_val_bbx_gt.0.index.npz').write_bytes(b'cache')
    make_toy_faces(tmp_path / 'toy', **small)
    assert contents(tmp_path / 'toy') == good
    assert [path.name for path in tmp_path.iterdir()] == ['toy']


def test_other_parameters_replace_only_own_files(tmp_path):
    folder = tmp_path / 'toy'
    make_toy_faces(folder, 1, 1, image_size=64, num_workers=1)
    make_toy_faces(folder, 2, 1, image_size=64, num_workers=1)
    assert len(list((folder / 'WIDER_train').rglob('*.jpg'))) == 2
    (folder / 'notes.txt').write_text('mine')
    before = contents(folder)
    with pytest.raises(FileExistsError, match=r'notes\.txt.*move it away'):
        make_toy_faces(folder, 3, 1, image_size=64, num_workers=1)
    assert contents(folder) == before


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / 'toy_faces.json').write_text('{"generator": "something else"}')
    with pytest.raises(FileExistsError, match='photos is not empty and not a toy dataset'):
        make_toy_faces(tmp_path / 'photos', 1, 1, image_size=64)
    assert list(contents(tmp_path)) == ['photos/toy_faces.json']
    with pytest.raises(FileExistsError, match='is a file'):
        make_toy_faces(tmp_path / 'photos' / 'toy_faces.json', 1, 1, image_size=64)


def test_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr('mmseam.datasets.toy_faces.writer.cv2.imencode', lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_toy_faces(tmp_path / 'toy', 1, 1, image_size=64, num_workers=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('wrong', [dict(image_size=63), dict(num_train=-1), dict(num_val=-1), dict(seed=-1)])
def test_parameters_out_of_range(wrong, tmp_path):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_toy_faces(tmp_path / 'toy', **{**PARAMETERS, **wrong})
    assert not list(tmp_path.iterdir())


def test_tool(tmp_path, monkeypatch, capsys):
    def run(*options):
        monkeypatch.setattr(sys, 'argv', [TOOL, str(tmp_path / 'toy'), '--size', '64', '--seed', '5', *options])
        runpy.run_path(TOOL, run_name='__main__')
        return capsys.readouterr().out

    assert 'train: 2 images (0 without faces)' in run('--train', '2', '--val', '1')
    make_toy_faces(tmp_path / 'direct', 2, 1, image_size=64, seed=5)
    assert contents(tmp_path / 'toy') == contents(tmp_path / 'direct')
    (tmp_path / 'toy' / 'toy_faces.json').unlink()
    with pytest.raises(SystemExit, match='error: .*is not empty and not a toy dataset'):
        run('--train', '2', '--val', '1')


def test_help_of_the_tool_needs_no_heavy_import():
    # -I -S leaves only the standard library to import.
    done = subprocess.run([sys.executable, '-I', '-S', TOOL, '--help'], capture_output=True, text=True, check=True)
    assert all(option in done.stdout for option in ('out_dir', '--train', '--val', '--size', '--seed', '--workers'))


def test_a_full_disk_is_an_error_and_the_earlier_dataset_stays(tmp_path):
    summary = make_toy_faces(tmp_path / 'toy', 1, 1)
    with small_files(2_000), pytest.raises(NoSpaceError, match=f'while writing {tmp_path}/toy'):
        make_toy_faces(tmp_path / 'toy', 2, 2)
    assert [path.name for path in tmp_path.iterdir()] == ['toy']
    assert make_toy_faces(tmp_path / 'toy', 1, 1) == summary
