"""What is read from a JPEG's header, against Pillow and OpenCV."""
import random
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseam.datasets.transforms.jpeg_header import is_truncated_jpeg, jpeg_size


def encode(size=(300, 70), **options) -> bytes:
    buffer = BytesIO()
    Image.new('RGB', size, 'red').save(buffer, 'jpeg', **options)
    return buffer.getvalue()


@pytest.mark.parametrize('size', [(1, 1), (300, 70), (257, 4099)])
@pytest.mark.parametrize('options', [{}, dict(progressive=True), dict(exif=b'Exif\0\0' + bytes(3000)),
                                     dict(comment='c' * 900), dict(quality=100, subsampling=0)])
def test_size(size, options):
    assert jpeg_size(encode(size, **options)) == size[::-1]


def test_bytes_of_filling_before_a_marker():
    content = encode()
    place = content.index(b'\xff\xdb')
    filled = content[:place] + b'\xff\xff\xff' + content[place:]
    assert Image.open(BytesIO(filled)).size == (300, 70)
    assert jpeg_size(filled) == (70, 300) and not is_truncated_jpeg(filled)


def test_every_shorter_file_is_truncated():
    content = encode((40, 30))
    frame = content.index(b'\xff\xc0')
    for end in range(2, len(content)):
        assert is_truncated_jpeg(content[:end])
        assert jpeg_size(content[:end]) == ((30, 40) if end >= frame + 9 else None)
    assert not is_truncated_jpeg(content)


@pytest.mark.parametrize('extra', [b'garbage', b'\xff\x00', b'\xff\x01', b'\xff\xd3', b'\xff\xfe\x00\x00'],
                         ids=['other bytes', 'stuffed zero', 'TEM', 'restart marker', 'segment of length 0'])
def test_what_libjpeg_passes_over_between_segments(extra):
    content = encode()
    place = content.index(b'\xff\xdb')
    content = content[:place] + extra + content[place:]
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape == (70, 300, 3)
    assert jpeg_size(content) == (70, 300) and not is_truncated_jpeg(content)
    assert is_truncated_jpeg(content[:-2])


def test_damaged_jpegs_that_opencv_decodes_are_not_truncated():
    generator, decoded = random.Random(0), 0
    seeds = [encode((64, 48)), encode((64, 48), progressive=True), encode((64, 48), restart_marker_rows=1)]
    for _ in range(1500):
        content = bytearray(generator.choice(seeds))
        place, size = generator.randrange(2, len(content)), generator.choice([0, 1, 2, 8])
        content[place:place + generator.choice([0, 1, size])] = bytes(generator.choices(range(256), k=size))
        # Without an end-of-image marker behind the scan a file is truncated, even if no pixel is missing
        is_complete = content.rfind(b'\xff\xd9') > content.rfind(b'\xff\xda') > 0
        if is_complete and cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) is not None:
            decoded += 1
            assert not is_truncated_jpeg(bytes(content)), content.hex()
    assert decoded > 500


def test_header_of_a_million_segments_is_given_up():
    assert jpeg_size(b'\xff\xd8' + 1_000_000 * b'\xff\xe0\x00\x02' + encode()[2:]) is None


@pytest.mark.parametrize('content', [b'', b'\xff', b'<html>404</html>', b'\x89PNG\r\n\x1a\n' + bytes(40)])
def test_what_is_no_jpeg(content):
    assert jpeg_size(content) is None and not is_truncated_jpeg(content)
