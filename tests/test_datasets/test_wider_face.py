"""``WIDERFaceDataset``, alone and through MMYOLO's training pipeline."""
import numpy as np
import pytest
from wider_face_files import face, truncate, write_image, write_wider_face

from mmseam.datasets import WIDERFaceDataset
from mmseam.registry import DATASETS

pytestmark = pytest.mark.usefixtures('mmyolo_scope')

ODD_FACES = {
    'e/inside.jpg': [face(10, 20, 30, 40, occlusion=2), face(50, 50, 4, 9)],
    'e/cut.jpg': [face(-10, -5, 30, 40), face(100, 60, 40, 40)],
    'e/outside.jpg': [face(130, 10, 20, 20), face(10, -30, 20, 20)],
    'e/zero.jpg': [face(10, 10, 0, 20), face(10, 10, 20, -1)],
    'e/invalid.jpg': [face(10, 10, 20, 20, invalid=1), face(30, 30, 20, 20)],
    'e/none.jpg': [],
}


@pytest.fixture()
def odd(tmp_path):
    return write_wider_face(tmp_path, ODD_FACES)


def instances(dataset):
    return {dataset[i]['file_name']: dataset[i]['instances'] for i in range(len(dataset))}


def flags(dataset):
    return {name: [box['ignore_flag'] for box in faces] for name, faces in instances(dataset).items()}


def test_built_from_a_config(odd):
    dataset = DATASETS.build(dict(type='mmseam.WIDERFaceDataset', pipeline=[], test_mode=True, **odd))
    assert dataset.metainfo['classes'] == ('face', )
    assert len(dataset) == 6
    info = dataset[0]
    assert (info['img_id'], info['file_name'], info['width'], info['height']) == (0, 'e/inside.jpg', 120, 80)
    assert info['img_path'].endswith('WIDER_train/images/e/inside.jpg')
    assert info['instances'][0] == dict(
        bbox=[10., 20., 40., 60.],
        bbox_label=0,
        ignore_flag=0,
        attributes=dict(blur=1, expression=0, illumination=1, invalid=0, occlusion=2, pose=0))


def test_test_mode_keeps_the_boxes_of_the_file(odd):
    dataset = WIDERFaceDataset(**odd, test_mode=True, min_face_size=1000, filter_cfg=dict(filter_empty_gt=True))
    for name, faces in instances(dataset).items():
        assert [box['bbox'] for box in faces] == [[x, y, x + w, y + h] for x, y, w, h, *_ in ODD_FACES[name]]
    assert flags(dataset) == {
        'e/inside.jpg': [0, 0], 'e/cut.jpg': [0, 0], 'e/outside.jpg': [0, 0], 'e/zero.jpg': [1, 1],
        'e/invalid.jpg': [1, 0], 'e/none.jpg': []}


def test_training_clips_and_ignores(odd):
    dataset = WIDERFaceDataset(**odd)
    faces = instances(dataset)
    assert [box['bbox'] for box in faces['e/cut.jpg']] == [[0, 0, 20, 35], [100, 60, 120, 80]]
    assert flags(dataset) == {
        'e/inside.jpg': [0, 0], 'e/cut.jpg': [0, 0], 'e/outside.jpg': [1, 1], 'e/zero.jpg': [1, 1],
        'e/invalid.jpg': [1, 0], 'e/none.jpg': []}
    for boxes in faces.values():
        for x1, y1, x2, y2 in (box['bbox'] for box in boxes):
            assert 0 <= x1 <= x2 <= 120 and 0 <= y1 <= y2 <= 80


def test_training_reports_what_it_left_out(odd, monkeypatch):
    lines = []
    monkeypatch.setattr('mmseam.datasets.wider_face.dataset.print_log', lambda message, **_: lines.append(message))
    WIDERFaceDataset(**odd, min_face_size=5)
    assert len(lines) == 1
    assert '10 faces; not trained on: 3 invalid or of zero size, 2 outside their image, 1 smaller than 5 px' in lines[0]
    assert lines[0].endswith('clipped to their image: 2')


@pytest.mark.parametrize(('size', 'ignored'), [(4, 0), (5, 1)])
def test_min_face_size_is_the_shorter_side(odd, size, ignored):
    dataset = WIDERFaceDataset(**odd, min_face_size=size)
    assert flags(dataset)['e/inside.jpg'] == [0, ignored]
    assert len(dataset) == 6


def test_filter_cfg_filters_images(odd, tmp_path):
    kept = [info['file_name'] for info in WIDERFaceDataset(**odd, filter_cfg=dict(filter_empty_gt=True))]
    assert kept == ['e/inside.jpg', 'e/cut.jpg', 'e/invalid.jpg']
    write_image(tmp_path / 'WIDER_train' / 'images' / 'e' / 'cut.jpg', size=(120, 30))
    next((tmp_path / 'wider_face_split').glob('*.npz')).unlink()
    kept = [info['file_name'] for info in WIDERFaceDataset(**odd, filter_cfg=dict(min_size=31))]
    assert 'e/cut.jpg' not in kept
    assert len(kept) == 5
    with pytest.raises(ValueError, match="min_face_size.*but has \\['bbox_min_size'\\]"):
        WIDERFaceDataset(**odd, filter_cfg=dict(bbox_min_size=5))


def test_batch_shapes(tmp_path):
    split = write_wider_face(tmp_path, {'e/wide.jpg': [], 'e/wider.jpg': []}, size=(640, 320))
    write_image(tmp_path / 'WIDER_train' / 'images' / 'e' / 'high.jpg', (320, 640))
    policy = dict(type='BatchShapePolicy', batch_size=2, img_size=640, size_divisor=32, extra_pad_ratio=0.)
    dataset = WIDERFaceDataset(**split, test_mode=True, batch_shapes_cfg=policy)
    assert [info['batch_shape'].tolist() for info in dataset] == [[320, 640]] * 2


def test_missing_images(odd, tmp_path):
    for name in ('cut', 'zero'):
        (tmp_path / 'WIDER_train' / 'images' / 'e' / f'{name}.jpg').unlink()
    with pytest.raises(FileNotFoundError, match="2 of the 6 images .*e/cut.jpg, e/zero.jpg.*missing='skip'.* other 4"):
        WIDERFaceDataset(**odd)
    dataset = WIDERFaceDataset(**odd, missing='skip')
    assert [(info['img_id'], info['file_name']) for info in dataset] == [
        (0, 'e/inside.jpg'), (2, 'e/outside.jpg'), (4, 'e/invalid.jpg'), (5, 'e/none.jpg')]
    assert flags(dataset)['e/invalid.jpg'] == [1, 0]


def test_no_image_at_all_is_never_skipped(odd):
    with pytest.raises(FileNotFoundError, match='6 of the 6 images .*elsewhere'):
        WIDERFaceDataset(**{**odd, 'data_prefix': dict(img='elsewhere')}, missing='skip')


def test_image_without_readable_header(odd, tmp_path):
    (tmp_path / 'WIDER_train' / 'images' / 'e' / 'cut.jpg').write_bytes(b'')
    assert len(WIDERFaceDataset(**odd, filter_cfg=dict(min_size=32))) == 6
    with pytest.raises(OSError, match='1 of the 6 images .*e/cut.jpg'):
        WIDERFaceDataset(**odd, test_mode=True)
    assert len(WIDERFaceDataset(**odd, test_mode=True, missing='skip')) == 5


@pytest.mark.parametrize(('option', 'message'), [
    (dict(missing='ignore'), "missing must be 'error' or 'skip'"),
    (dict(min_face_size=-1), 'min_face_size must not be negative'),
    (dict(metainfo=dict(classes=('face', 'head'))), 'one class, but metainfo names 2'),
])
def test_bad_options(odd, option, message):
    with pytest.raises(ValueError, match=message):
        WIDERFaceDataset(**odd, **option)


def training_pipeline(load_annotations):
    """YOLOv8's training pipeline as MMYOLO ships it, without rotation and shear so that shapes stay comparable."""
    load = [dict(type='mmseam.LoadIntactImage'), dict(type=load_annotations, with_bbox=True)]
    affine = dict(
        type='mmyolo.YOLOv5RandomAffine', max_rotate_degree=0., max_shear_degree=0., scaling_ratio_range=(.5, 1.5),
        border=(-60, -40), bbox_clip_border=False, min_area_ratio=0., min_bbox_size=0)
    mosaic = dict(type='mmyolo.Mosaic', img_scale=(120, 80), bbox_clip_border=False, pre_transform=load)
    return load + [
        mosaic, affine,
        dict(type='mmyolo.YOLOv5MixUp', prob=0.5, pre_transform=[*load, mosaic, affine]),
        dict(type='mmyolo.YOLOv5HSVRandomAug'),
        dict(type='mmdet.RandomFlip', prob=0.5),
        dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'flip')),
    ]


@pytest.mark.parametrize(('load_annotations', 'keeps_ignored'), [
    ('mmyolo.LoadAnnotations', False),
    ('mmdet.LoadAnnotations', True),
])
def test_ignored_faces_are_never_targets(tmp_path, load_annotations, keeps_ignored):
    """Faces to train on are square, ignored ones three times as wide: a mix-up anywhere in the pipeline would show."""
    faces = [face(10, 10, 20, 20), face(50, 20, 36, 12, invalid=1), face(60, 50, 16, 16), face(20, 60, 9, 3)]
    split = write_wider_face(tmp_path, {f'e/{i}.jpg': faces for i in range(4)})
    dataset = WIDERFaceDataset(**split, min_face_size=4, pipeline=training_pipeline(load_annotations))
    trained, ignored = [], []
    for i in range(40):
        sample = dataset[i % 4]['data_samples']
        trained += sample.gt_instances.bboxes.tensor.tolist()
        ignored += sample.ignored_instances.bboxes.tensor.tolist()
        assert len(sample.gt_instances.labels) == len(sample.gt_instances.bboxes)
    trained, ignored = (np.array(boxes).reshape(-1, 4) for boxes in (trained, ignored))
    assert len(trained) > 50
    widths, heights = (trained[:, 2:] - trained[:, :2]).T
    np.testing.assert_allclose(widths, heights, rtol=1e-3)
    assert bool(len(ignored)) == keeps_ignored
    widths, heights = (ignored[:, 2:] - ignored[:, :2]).T
    np.testing.assert_allclose(widths, 3 * heights, rtol=1e-3)


def test_truncated_images_never_reach_the_mix(tmp_path):
    split = write_wider_face(tmp_path, {f'e/{i}.jpg': [face(10, 10, 20, 20)] for i in range(4)})
    dataset = WIDERFaceDataset(**split, pipeline=training_pipeline('mmyolo.LoadAnnotations'))
    for i in (1, 2):
        truncate(tmp_path / 'WIDER_train' / 'images' / 'e' / f'{i}.jpg')
    with pytest.warns(UserWarning, match='bad image'):
        samples = [dataset[i % 4] for i in range(12)]
    assert {sample['data_samples'].img_path[-5] for sample in samples} == {'0', '3'}


def test_real_images(test_data, tmp_path):
    """The 28 val images of the test data, out of 3,226 annotated ones."""
    folder = test_data / 'wider_face'
    ann_file = tmp_path / 'wider_face_val_bbx_gt.txt'
    ann_file.write_bytes((folder / 'wider_face_split' / ann_file.name).read_bytes())
    config = dict(ann_file=str(ann_file), data_prefix=dict(img=str(folder / 'WIDER_val' / 'images')), test_mode=True)
    with pytest.raises(FileNotFoundError, match='3198 of the 3226 images'):
        WIDERFaceDataset(**config)
    dataset = WIDERFaceDataset(**config, missing='skip', pipeline=[dict(type='mmseam.LoadIntactImage')])
    assert len(dataset) == 28
    for sample in dataset:
        assert sample['ori_shape'] == (sample['height'], sample['width'])
