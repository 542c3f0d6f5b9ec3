"""Finding, reading and writing images and videos."""
import cv2
import numpy as np
import pytest

from mmseam.apis.media import VideoReader, VideoWriter, find_images, write_image


def frame(value: int) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def test_images_of_a_folder_are_sorted_and_results_left_out(tmp_path):
    for name in ('b/2.JPG', 'a.png', 'b/1.webp', 'out/a.png', 'notes.txt', 'clip.mp4'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_images(tmp_path, tmp_path / 'out')
    assert [str(path.relative_to(tmp_path)) for path in found] == ['a.png', 'b/1.webp', 'b/2.JPG']


def test_what_is_no_source(tmp_path):
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(FileNotFoundError, match='there is no file or folder .*missing'):
        find_images(tmp_path / 'missing', tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='no images'):
        find_images(tmp_path, tmp_path / 'out')
    with pytest.raises(ValueError, match=r'notes.txt: neither an image \(.*\.png.*\) nor a video \(\.mp4'):
        find_images(tmp_path / 'notes.txt', tmp_path / 'out')


def test_written_images_read_back(tmp_path):
    write_image(tmp_path / 'new' / 'a.png', frame(7))
    assert (cv2.imread(str(tmp_path / 'new' / 'a.png')) == 7).all()


def test_written_videos_read_back(tmp_path):
    path = tmp_path / 'new' / 'a.mp4'
    with VideoWriter(path, 12.0, (64, 48)) as writer:
        for value in (0, 120, 240):
            writer.write(frame(value))
        assert not path.exists()
    video = VideoReader(path)
    assert (video.num_frames, video.fps, video.size) == (3, 12.0, (64, 48))
    # MPEG-4 is lossy
    assert [round(float(image.mean())) for image in video] == pytest.approx([0, 120, 240], abs=4)


def test_an_interrupted_video_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), VideoWriter(tmp_path / 'a.mp4', 12.0, (64, 48)) as writer:
        writer.write(frame(0))
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_a_broken_video_is_named(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    with pytest.raises(OSError, match='a.mp4: no video that OpenCV can read'):
        VideoReader(tmp_path / 'a.mp4')
