"""Readers of own data and stored configs: valid inputs, and the errors that they document."""
import json
from pathlib import Path

from hypothesis import strategies as st
from target import NUMBERS, TEXT_LINES, WORDS, Target

from mmseam.datasets.pascal_voc import VOCFormatError, convert_voc
from mmseam.datasets.yolo_txt import YOLODataError, YOLODataFile, read_data_yaml
from mmseam.datasets.yolo_txt.yolo_labels import find_images, read_labels
from mmseam.utils.config_text import ConfigTextError, parse_config_text

# ======================== YOLO ========================
DATA_YAML = b"""# comment
path: .
train: [e, list.txt]
val: e
nc: 2
names: {0: face, 1: "mask"}
download: https://example.com/a.zip
"""
LABELS = b'0 0.5 0.5 0.25 0.5\n1 .1 .2 .3 .4\r\n1 0.1 0.1 0.9 0.1 0.5 0.9\n'
IMAGE_LIST = b'./e/a.jpg\ne/b.jpg\n'


def write_images(folder: Path) -> None:
    (folder / 'e').mkdir(exist_ok=True)
    for name in ('e/a.jpg', 'e/b.jpg'):
        (folder / name).touch()
    (folder / 'list.txt').write_bytes(IMAGE_LIST)


def data_file(folder: Path, **splits: Path) -> YOLODataFile:
    return YOLODataFile(folder / 'data.yaml', folder, {name: [path] for name, path in splits.items()},
                        ('face', 'mask'), False)


def read_yaml(path: Path) -> None:
    data = read_data_yaml(path)
    assert data.names and all(data.names) and len(set(data.names)) == len(data.names)
    assert data.root.is_absolute() and all(each.exists() for paths in data.splits.values() for each in paths)


def read_label_file(path: Path) -> None:
    for found in read_labels(path, data_file(path.parent)):
        x1, y1, x2, y2 = found.box
        assert 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 and found.label in (0, 1)
        assert all(0 <= value <= 1 for value in found.polygon)


def read_image_list(path: Path) -> None:
    images = find_images(data_file(path.parent, train=path), 'train')
    assert images and all(image.is_file() for image in images)


# ======================== Pascal VOC ========================
VOC = b"""<?xml version="1.0"?>
<annotation><folder>a</folder><filename>e/a.jpg</filename><size><width>90</width><height>60</height></size>
<object><name>face</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>30</xmax><ymax>40</ymax>
</bndbox></object><object><name>mask &amp; hat</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>9</xmax><ymax>9</ymax>
</bndbox></object></annotation>
"""


def read_voc(path: Path) -> None:
    converted = path.parent.parent / 'out.json'
    images, boxes, names = convert_voc(path.parent, converted)
    content = json.loads(converted.read_text())
    assert (images, boxes, len(names)) == tuple(map(len, content.values()))
    assert all(min(box['bbox'][2:]) >= 0 for box in content['annotations'])


# ======================== Configs in checkpoints ========================
CONFIG_TEXT = b"""classes = ('face', )
model = dict(
    backbone=dict(type='mmseam.X', widen_factor=0.25, out=[-1, 2.5e-3, inf]), neck=None,
    names={'a b': True, 3: 'x'})
train = (dict({'a-b': 1}), [], ())
"""
CONFIG_STRATEGY = st.lists(st.tuples(WORDS, st.recursive(
    st.one_of(NUMBERS, WORDS, st.none()), lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8)), max_size=4).map(
        lambda items: ''.join(f'{name} = {value!r}\n' for name, value in items).encode('utf-8', 'surrogatepass'))


def read_config_text(path: Path) -> None:
    values = parse_config_text(path.read_bytes().decode(errors='replace'))
    waiting = [values]
    while waiting:
        value = waiting.pop()
        assert value is None or type(value) in (dict, list, tuple, str, int, float, bool)
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()


TARGETS = [
    Target('yolo data file', [DATA_YAML], read_yaml, [YOLODataError], 'data.yaml', setup=write_images),
    Target('yolo labels', [LABELS], read_label_file, [YOLODataError], 'labels/a.txt', TEXT_LINES),
    Target('yolo image list', [IMAGE_LIST], read_image_list, [YOLODataError], 'train.txt', TEXT_LINES, write_images),
    Target('pascal voc', [VOC], read_voc, [VOCFormatError], 'xml/a.xml'),
    Target('config text', [CONFIG_TEXT], read_config_text, [ConfigTextError], 'config.py', CONFIG_STRATEGY),
]
