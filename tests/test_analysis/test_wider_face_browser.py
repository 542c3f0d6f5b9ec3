"""Ground truth in colors."""
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from wider_face_files import face, write_wider_face

from mmseam.analysis.wider_face_browser import COLORS, LABELS, browse_wider_face, draw_faces

ROOT = Path(__file__).resolve().parents[2]
FACES = {
    'e/none.jpg': [],
    'e/open.jpg': [face(10, 10, 40, 40)],
    'f/heavy.jpg': [face(10, 10, 40, 40), face(60, 10, 40, 40, occlusion=2), face(60, 55, 5, 5, occlusion=2)],
    'g/mixed.JPG': [face(5, 5, 20, 30, occlusion=1), face(60, 10, 30, 30, invalid=1, occlusion=2), face(9, 9, 0, 4)],
}
GRAY = np.full((80, 120, 3), 90, dtype=np.uint8)


def test_every_kind_has_its_color_and_stands_in_the_legend():
    image = np.full((800, 1200, 3), 90, dtype=np.uint8)
    boxes = np.array([[50, 50, 150, 200], [300, 50, 150, 200], [550, 50, 150, 200], [800, 50, 150, 200]])
    drawing = draw_faces(image, boxes, np.arange(4), ['caption'])
    for (left, top, width, height), color in zip(boxes, COLORS):
        edge = [drawing[top, left + 30], drawing[top + height, left + 30], drawing[top + 30, left],
                drawing[top + 30, left + width]]
        assert (np.array(edge) == color).all()
        assert (drawing[800:] == color).all(axis=2).sum() >= 100
    assert (drawing[60:240, 60:190] == 90).all()
    assert (image == 90).all() and len(LABELS) == len(COLORS)
    assert drawing.shape[1] == 1200 and drawing.shape[0] > 800 + 2 * 20


def test_small_images_are_enlarged_with_their_boxes():
    drawing = draw_faces(GRAY, np.array([[5, 10, 15, 20]]), np.array([2]), [])
    assert drawing.shape[1] == 6 * 120
    assert (drawing[6 * 10, 6 * 5:6 * 20] == COLORS[2]).all() and (drawing[6 * 10 - 3, 6 * 5:6 * 20] == 90).all()


def colors_in(path):
    """Names of the colors of which boxes are drawn; the JPEG mixes them with what is beside them."""
    drawing = cv2.imread(str(path))[:6 * 80].astype(int)
    near = [(np.abs(drawing - color).max(axis=2) < 60).sum() for color in COLORS[:3]]
    return {label for label, number in zip(LABELS, near) if number > 100}


def test_images_of_the_filter(tmp_path):
    write_wider_face(tmp_path, FACES, 'val', (120, 80))
    # smooth noise would hold the colors by chance
    for name in FACES:
        cv2.imwrite(str(tmp_path / 'WIDER_val' / 'images' / name), GRAY)

    def drawn(expression=None, num=20):
        out = tmp_path / 'out'
        return {path.relative_to(out).as_posix(): colors_in(path)
                for path in browse_wider_face(tmp_path, 'val', out, num, expression)}

    assert drawn() == {'e/open.jpg': {'not occluded'}, 'f/heavy.jpg': {'not occluded', 'heavily occluded'},
                       'g/mixed.JPG': {'partially occluded'}}
    assert drawn('occlusion=heavy & height>=20 & invalid=false') == {'f/heavy.jpg': {'heavily occluded'}}
    assert list(drawn(num=2)) == ['e/open.jpg', 'g/mixed.JPG']
    with pytest.raises(ValueError, match='no face'):
        drawn('height>500')
    with pytest.raises(ValueError, match="no column or subset 'hight'"):
        drawn('hight>5')


def test_missing_images(tmp_path):
    write_wider_face(tmp_path, FACES, 'val', (120, 80))
    (tmp_path / 'WIDER_val' / 'images' / 'e' / 'open.jpg').unlink()
    assert len(browse_wider_face(tmp_path, 'val', tmp_path / 'out')) == 2
    (tmp_path / 'WIDER_val').rename(tmp_path / 'elsewhere')
    with pytest.raises(FileNotFoundError, match='none of the 3 images'):
        browse_wider_face(tmp_path, 'val', tmp_path / 'out')


def test_tool(tmp_path):
    write_wider_face(tmp_path, FACES, 'train', (120, 80))
    tool = ROOT / 'tools' / 'analysis_tools' / 'browse_wider_face.py'
    command = [sys.executable, str(tool), str(tmp_path), '--out-dir', str(tmp_path / 'out'), '--filter',
               'occlusion=heavy & height>=20']
    done = subprocess.run([*command, '--split', 'train'], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == f'2 images written to {tmp_path / "out"}\n', done.stderr
    failed = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith('error: ') and 'wider_face_val_bbx_gt.txt' in failed.stderr
