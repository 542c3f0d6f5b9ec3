"""What counts as a source, in which order its images come, and what is left out."""
import errno
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseam.apis import open_source
from mmseam.inference.media import VideoReader

COLOR = (30, 120, 240)  # BGR


def picture(height=48, width=64) -> np.ndarray:
    return np.full((height, width, 3), COLOR, np.uint8)


def write_pictures(folder, *names) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), picture())


def names(source, folder) -> list:
    return [image.path.relative_to(folder).as_posix() for image in source]


@pytest.fixture
def folder(tmp_path):
    write_pictures(tmp_path, 'b/2.JPG', 'a.png', 'b/1.webp', 'out/a.png')
    (tmp_path / 'notes.txt').touch()
    (tmp_path / 'clip.mp4').touch()
    return tmp_path


def test_images_of_a_folder_are_sorted_and_results_left_out(folder):
    source = open_source(folder, folder / 'out')
    assert source.total == 3
    assert source.root == folder
    assert names(source, folder) == ['a.png', 'b/1.webp', 'b/2.JPG']
    assert names(open_source(str(folder)), folder) == ['a.png', 'b/1.webp', 'b/2.JPG', 'out/a.png']


def test_damaged_file_that_pillow_has_opened_is_left_out(folder):
    content = (folder / 'b' / '2.JPG').read_bytes()
    opened = Image.open(io.BytesIO(content[:-20]))
    source = open_source([opened, picture()], report=lambda reason: None)
    assert [image.name for image in source] == ['image 1']
    reason, = source.bad
    assert reason.startswith('image 0: ') and 'truncated' in reason


def test_error_of_the_machine_leaves_no_image_out(folder, monkeypatch):

    def fail(*args, **kwargs):
        raise OSError(errno.EMFILE, 'too many open files')

    monkeypatch.setattr('mmengine.fileio.get', fail)
    with pytest.raises(OSError, match='too many open files'):
        list(open_source(folder))


def test_patterns(folder):
    assert names(open_source(f'{folder}/*.*'), folder) == ['a.png']
    assert names(open_source(f'{folder}/**/[12].*'), folder) == ['b/1.webp', 'b/2.JPG']
    with pytest.raises(FileNotFoundError, match=r'no images .*\*\.bmp'):
        open_source(f'{folder}/*.bmp')


def test_a_list_holds_all_kinds(folder):
    pil = Image.fromarray(picture()[..., ::-1])
    images = list(open_source([folder / 'a.png', picture(), pil, f'{folder}/b/*', folder / 'b']))
    assert [image.path and image.path.name for image in images] == [
        'a.png', None, None, '1.webp', '2.JPG', '1.webp', '2.JPG']
    assert [image.name for image in images[1:3]] == ['image 1', 'image 2']
    assert all(image.image.shape == (48, 64, 3) for image in images)
    assert not list(open_source([]))


@pytest.mark.parametrize('image', [
    picture(), Image.fromarray(picture()[..., ::-1]), np.dstack([picture(), np.zeros((48, 64), np.uint8)])
], ids=['BGR', 'PIL', 'BGRA'])
def test_pixels_come_as_bgr(image):
    (found, ) = open_source(image)
    assert (found.image == COLOR).all()
    assert found.image.shape == (48, 64, 3)


def test_gray_arrays_get_three_channels():
    (found, ) = open_source(np.full((8, 9), 77, np.uint8))
    assert found.image.shape == (8, 9, 3)
    assert (found.image == 77).all()


def test_pil_images_are_turned_as_files_are(tmp_path):
    image = picture()
    image[:10] = 0
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(image[..., ::-1]).save(tmp_path / 'turned.png', exif=exif)
    (from_file, ) = open_source(tmp_path / 'turned.png')
    (from_pil, ) = open_source(Image.open(tmp_path / 'turned.png'))
    assert from_file.image.shape == (64, 48, 3)
    np.testing.assert_array_equal(from_file.image, from_pil.image)


@pytest.mark.parametrize('suffix', ['png', 'tif', 'pgm'])
def test_pil_images_of_16_bits_have_the_pixels_of_their_files(tmp_path, suffix):
    values = np.linspace(0, 65535, 48 * 64).round().astype(np.uint16).reshape(48, 64)
    cv2.imwrite(str(tmp_path / f'deep.{suffix}'), values)
    (from_file, ) = open_source(tmp_path / f'deep.{suffix}')
    (from_pil, ) = open_source(Image.open(tmp_path / f'deep.{suffix}'))
    np.testing.assert_array_equal(from_file.image, from_pil.image)
    assert 126 < from_pil.image.mean() < 129
    for order in ('<u2', '>u2'):  # modes I;16 and I;16B
        (from_pil, ) = open_source(Image.fromarray(values.astype(order)))
        np.testing.assert_array_equal(from_file.image, from_pil.image)


def test_broken_images_are_named_and_left_out(folder):
    (folder / 'a.png').write_bytes(b'no picture')
    reports = []
    source = open_source(folder / 'b', report=reports.append)
    assert len(list(source)) == 2
    assert source.bad == reports == []
    source = open_source([folder / 'a.png', folder / 'b' / '2.JPG'])
    with pytest.warns(UserWarning, match='left out: .*a.png'):
        assert names(source, folder) == ['b/2.JPG']
    assert len(source.bad) == 1
    assert str(folder / 'a.png') in source.bad[0]


@pytest.mark.parametrize('source, error, message', [
    ('missing', FileNotFoundError, 'there is no file or folder .*missing'),
    (['a.png', 'missing'], FileNotFoundError, 'there is no file or folder .*missing'),
    ('empty', FileNotFoundError, 'no images'),
    ('notes.txt', ValueError, r'notes.txt: neither an image \(.*\.png.*\) nor a video \(\.mp4'),
    (['clip.mp4'], ValueError, 'clip.mp4: give a video on its own'),
    ('clip.mp4', OSError, 'clip.mp4: OpenCV cannot read this video'),
    ('99', OSError, 'webcam 99 cannot be opened'),
    (99, OSError, 'webcam 99 cannot be opened'),
    (np.zeros((2, 8, 8, 3), np.uint8), ValueError, r'shape \(2, 8, 8, 3\)'),
    (np.zeros((8, 8, 3)), ValueError, 'float64'),
    (np.zeros((0, 8, 3), np.uint8), ValueError, r'shape \(0, 8, 3\)'),
    (Image.fromarray(np.zeros((8, 8), np.int32)), ValueError, 'mode I has no defined value range'),
    ([Image.fromarray(np.zeros((8, 8), np.float32))], ValueError, 'mode F has no defined value range'),
    ([1.5], TypeError, 'float is not an image'),
    (None, TypeError, 'NoneType is not an image'),
])
def test_what_is_no_source(folder, monkeypatch, source, error, message):
    (folder / 'empty').mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=message):
        open_source(source)


def test_a_video_comes_frame_by_frame(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (96, 64))
    for value in (0, 100, 200):
        writer.write(np.full((64, 96, 3), value, np.uint8))
    writer.release()
    video = open_source(str(tmp_path / 'clip.avi'))
    assert isinstance(video, VideoReader)
    assert (video.total, video.size, video.is_webcam) == (3, (96, 64), False)
    frames = list(video)
    assert [frame.frame for frame in frames] == [0, 1, 2]
    assert {frame.path for frame in frames} == {tmp_path / 'clip.avi'}
    # The codec is lossy
    assert [float(frame.image.mean()) for frame in frames] == pytest.approx([0, 100, 200], abs=4)
