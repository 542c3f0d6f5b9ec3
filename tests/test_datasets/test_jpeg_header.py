"""What is read from a JPEG's header, against Pillow."""
from io import BytesIO

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


@pytest.mark.parametrize('content', [b'', b'\xff', b'<html>404</html>', b'\x89PNG\r\n\x1a\n' + bytes(40)])
def test_what_is_no_jpeg(content):
    assert jpeg_size(content) is None and not is_truncated_jpeg(content)
