"""Reading and writing images and videos."""
import shutil
import signal

import cv2
import numpy as np
import pytest
from full_disk import small_files

from mmseam.inference.media import VideoReader, read_image, video_file, write_image
from mmseam.utils.atomic_write import WriteError
from mmseam.utils.interruption import Interrupted


def frame(value: int) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def test_written_images_read_back(tmp_path):
    write_image(tmp_path / 'new' / 'a.png', frame(7))
    assert (cv2.imread(str(tmp_path / 'new' / 'a.png')) == 7).all()
    np.testing.assert_array_equal(read_image(tmp_path / 'new' / 'a.png'), frame(7))


@pytest.mark.parametrize('name', ['a.xyz', 'a'])
def test_formats_that_opencv_lacks_are_named(tmp_path, name):
    with pytest.raises(ValueError, match=f'{name}: OpenCV cannot write'):
        write_image(tmp_path / name, frame(7))
    assert not list(tmp_path.iterdir())


def test_written_videos_read_back(tmp_path):
    path = tmp_path / 'new' / 'a.mp4'
    with video_file(path, 12.0, (64, 48)) as add:
        for value in (0, 120, 240):
            add(frame(value))
        assert not path.exists()
    video = VideoReader(path)
    assert (video.total, video.fps, video.size) == (3, 12.0, (64, 48))
    # MPEG-4 is lossy
    assert [round(float(frame.image.mean())) for frame in video] == pytest.approx([0, 120, 240], abs=4)


def test_a_video_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), video_file(tmp_path / 'a.mp4', 12.0, (64, 48)) as add:
        add(frame(0))
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_an_interrupted_video_keeps_what_is_done(tmp_path):
    with pytest.raises(Interrupted), video_file(tmp_path / 'a.mp4', 12.0, (64, 48)) as add:
        add(frame(0))
        raise Interrupted(signal.SIGTERM)
    assert [path.name for path in tmp_path.iterdir()] == ['a.partial.mp4']
    assert VideoReader(tmp_path / 'a.partial.mp4').total == 1


def noise(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def write_noise(path, number: int) -> None:
    with video_file(path, 12.0, (64, 48)) as add:
        for seed in range(number):
            add(noise(seed))


@pytest.mark.parametrize('limit', [0, 1_000, 30_000])
def test_a_video_on_a_full_disk_is_an_error_and_the_earlier_one_stays(tmp_path, limit):
    write_noise(tmp_path / 'a.mp4', 2)
    with small_files(limit), pytest.raises(OSError, match=r'a\.mp4: (\d+ of \d+ frames were not|OpenCV cannot)'):
        write_noise(tmp_path / 'a.mp4', 30)
    assert [path.name for path in tmp_path.iterdir()] == ['a.mp4']
    assert VideoReader(tmp_path / 'a.mp4').total == 2


def test_a_video_stops_when_the_disk_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr('shutil.disk_usage', lambda _: shutil._ntuple_diskusage(2**30, 2**30 - 4096, 4096))
    with pytest.raises(WriteError, match='disk full while writing .*a.mp4: free space and run again'):
        write_noise(tmp_path / 'a.mp4', 1)
    assert not list(tmp_path.iterdir())


def test_an_image_on_a_full_disk_is_an_error_and_the_earlier_one_stays(tmp_path):
    write_image(tmp_path / 'a.png', frame(7))
    with small_files(), pytest.raises(WriteError, match=r'file size limit reached while writing .*a\.png'):
        write_image(tmp_path / 'a.png', noise(0, 480, 640))
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']
    np.testing.assert_array_equal(read_image(tmp_path / 'a.png'), frame(7))


def test_a_broken_video_is_named(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    with pytest.raises(OSError, match='a.mp4: OpenCV cannot read this video'):
        VideoReader(tmp_path / 'a.mp4')
