"""Reading and writing images and videos."""
import cv2
import numpy as np
import pytest

from mmseam.inference.media import VideoReader, VideoWriter, read_image, write_image


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
    with VideoWriter(path, 12.0, (64, 48)) as writer:
        for value in (0, 120, 240):
            writer.write(frame(value))
        assert not path.exists()
    video = VideoReader(path)
    assert (video.total, video.fps, video.size) == (3, 12.0, (64, 48))
    # MPEG-4 is lossy
    assert [round(float(frame.image.mean())) for frame in video] == pytest.approx([0, 120, 240], abs=4)


def test_an_interrupted_video_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), VideoWriter(tmp_path / 'a.mp4', 12.0, (64, 48)) as writer:
        writer.write(frame(0))
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_a_broken_video_is_named(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    with pytest.raises(OSError, match='a.mp4: no video that OpenCV can read'):
        VideoReader(tmp_path / 'a.mp4')
