"""Pascal VOC's XML files as COCO JSON, and the error of each malformed file."""
import json

import pytest

from mmseam.datasets.pascal_voc import VOCFormatError, convert_voc

OBJECT = ('<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{0}</xmin><ymin>{1}</ymin>'
          '<xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>\n')
IMAGE = ('<annotation>\n<filename>{file}</filename>\n<size><width>120</width><height>80</height></size>\n{objects}'
         '</annotation>')
CAT = OBJECT.format(11, 21, 50, 70, name='cat', difficult=0)


def write(folder, name='a.xml', objects=CAT, file='a.jpg', text=None):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(IMAGE.format(file=file, objects=objects) if text is None else text)
    return folder


def test_conversion(tmp_path):
    folder = write(tmp_path / 'xml', objects=CAT + OBJECT.format(1, 1, 120, 80, name='a dog', difficult=1))
    write(folder, 'b.xml', '', 'sub/b.jpg')
    assert convert_voc(folder, tmp_path / 'out.json') == (2, 2, ('a dog', 'cat'))
    coco = json.loads((tmp_path / 'out.json').read_text())
    assert coco['images'] == [dict(id=0, file_name='a.jpg', width=120, height=80),
                              dict(id=1, file_name='sub/b.jpg', width=120, height=80)]
    assert [(a['category_id'], a['bbox'], a['area'], a['ignore']) for a in coco['annotations']] == [
        (2, [10, 20, 40, 50], 2000, 0), (1, [0, 0, 120, 80], 9600, 1)]
    assert coco['categories'] == [dict(id=1, name='a dog'), dict(id=2, name='cat')]


def test_classes_in_a_given_order(tmp_path):
    folder = write(tmp_path / 'xml')
    assert convert_voc(folder, tmp_path / 'out.json', ['dog', 'cat'])[2] == ('dog', 'cat')
    with pytest.raises(VOCFormatError, match="a.xml: the class 'cat' is not one of dog"):
        convert_voc(folder, tmp_path / 'out.json', ['dog'])


def test_no_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='no XML files in'):
        convert_voc(tmp_path, tmp_path / 'out.json')


@pytest.mark.parametrize('text, message', [
    ('<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotation>&b;</annotation>', 'line 1: document types'),
    ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', 'line 1: document types'),
    ('<a>' * 100000, 'line 1: elements are nested too deeply'),
    ('<annotation>', 'line 1: no XML: no element found'), ('', 'empty, or larger'), ('x' * 2**23, 'empty, or larger'),
    ('<other/>', 'expected an element "annotation"'), ('<annotation/>', 'line 1: there is no filename'),
    (IMAGE.format(file='../a.jpg', objects=''), 'filename must be below the image folder'),
    (IMAGE.format(file='/a.jpg', objects=''), 'filename must be below the image folder'),
    (IMAGE.format(file='a', objects='').replace('120', '0'), 'size must be positive'),
    (IMAGE.format(file='a', objects='').replace('120', '1_0'), "line 1: size/width must be a number, not '1_0'"),
    (IMAGE.format(file='a', objects=CAT.replace('50', 'nan')), "line 4: bndbox/xmax must be a number, not 'nan'"),
    (IMAGE.format(file='a', objects=CAT.replace('50', '1' * 400)), 'line 4: bndbox/xmax must be a number'),
    (IMAGE.format(file='a', objects=CAT.replace('50', '5')), 'line 4: xmax and ymax must not be smaller'),
    (IMAGE.format(file='a', objects=CAT.replace('cat', '')), 'line 4: there is no name'),
    ('<?xml version="1.0" encoding="nonsense"?><annotation/>', 'no XML'),
], ids=['entities', 'external', 'depth', 'open', 'empty', 'size', 'other', 'nothing', 'parent', 'absolute', 'no pixels',
        'underscore', 'nan', 'overflow', 'order', 'no name', 'encoding'])
def test_malformed_files_are_named(tmp_path, text, message):
    folder = write(tmp_path / 'xml', text=text)
    with pytest.raises(VOCFormatError, match=f'a.xml(, |: ){message}'):
        convert_voc(folder, tmp_path / 'out.json')
    assert not (tmp_path / 'out.json').exists()
