"""Size of an image from its header, the limit on that size, and the error for an image that cannot be used."""
import errno
import io
import os
import struct
from typing import IO, Optional, Tuple

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from .jpeg_header import jpeg_size

#: Images of more pixels are not decoded: that many take 805 MB. Panoramas of 23,000 x 11,600 pixels are below it.
MAX_PIXELS = 2**28

# Every 64 pixels of a JPEG take at least one bit, the shortest Huffman code (arithmetic coding, which could take less,
# is not in use). A header that claims more is wrong, and would make the decoder allocate gigabytes for a small file.
_JPEG_PIXELS_PER_BYTE = 64 * 8
_HEADER_ERRORS = (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error)
_EXIF_ORIENTATION = 0x0112
_EXIF = b'Exif\0\0'
_PNG = b'\x89PNG\r\n\x1a\n'


class BadImageError(OSError):
    """An image file that is damaged, no image at all, or too large; the message names it and says what to do."""


def is_image_error(error: OSError) -> bool:
    """Whether an error is about one image file, rather than about the machine (no memory, no network, no handles)."""
    about_one_file = BadImageError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError
    return isinstance(error, about_one_file) or error.errno == errno.EIO  # a bad sector


def read_size(file: IO[bytes]) -> Optional[Tuple[int, int]]:
    """Read width and height of an image from its header only.

    Args:
        file (IO[bytes]): An image file, at its start.

    Returns:
        Tuple[int, int] | None: Width and height in pixels after the rotation that its EXIF orientation asks for, which
        ``cv2.imread`` applies; None for a file without a readable image header.
    """
    try:
        return _read_size(file)
    except Image.DecompressionBombError:
        return None


def check_size(content: bytes, path: str) -> Optional[Tuple[int, int]]:
    """Refuse an image that is too large to be decoded, or that claims to be.

    Args:
        content (bytes): An image file.
        path (str): Its name, for the error message.

    Returns:
        Tuple[int, int] | None: Two sides in pixels, in any order; None where the header cannot be read.

    Raises:
        BadImageError: The image has more than :data:`MAX_PIXELS`, or a JPEG more than its data can hold.
    """
    is_jpeg = content.startswith(b'\xff\xd8')
    try:
        size = jpeg_size(content) if is_jpeg else _read_size(io.BytesIO(content))
    except Image.DecompressionBombError as error:
        raise BadImageError(f'{path}: more pixels than are read of a file that is neither JPEG nor PNG; scale the '
                            f'image down or save it in one of these formats ({error})') from error
    if size is None:
        return None
    pixels = size[0] * size[1]
    if is_jpeg and pixels > _JPEG_PIXELS_PER_BYTE * len(content):
        raise BadImageError(f'{path}: damaged, its header claims {pixels:,} pixels, more than {len(content):,} bytes '
                            'can hold; fetch the file again')
    if pixels > MAX_PIXELS:
        raise BadImageError(f'{path}: {pixels:,} pixels, more than the {MAX_PIXELS:,} that are read; scale the image '
                            'down or cut it into tiles')
    return size


def _read_size(file: IO[bytes]) -> Optional[Tuple[int, int]]:
    try:
        image = _open(file)
    except _HEADER_ERRORS:
        return None
    width, height = image.size
    # Orientations 5 to 8 turn the image by a quarter; others do not exist
    return (height, width) if _orientation(image, file) in (5, 6, 7, 8) else (width, height)


def _open(file: IO[bytes]) -> Image.Image:
    """Open JPEG and PNG without ``Image.open``, whose limit of 179 million pixels is global to the user's process."""
    signature = file.read(len(_PNG))
    file.seek(0)
    if signature.startswith(b'\xff\xd8'):
        return JpegImageFile(file)
    return PngImageFile(file) if signature == _PNG else Image.open(file)


def _orientation(image: Image.Image, file: IO[bytes]) -> Optional[int]:
    try:
        exif = _png_exif(file) if isinstance(image, PngImageFile) else image.info.get('exif')
        return _exif_orientation(exif) if exif else image.getexif().get(_EXIF_ORIENTATION)
    except _HEADER_ERRORS:  # damaged EXIF data: OpenCV does not turn the image either
        return None


def _exif_orientation(exif: bytes) -> Optional[int]:
    """Orientation in EXIF data, read as OpenCV does: whatever type the entry claims, unlike Pillow."""
    exif = exif[len(_EXIF):] if exif.startswith(_EXIF) else exif
    order = {b'II*\0': '<', b'MM\0*': '>'}.get(exif[:4])
    if order is None:
        return None
    start, = struct.unpack_from(f'{order}I', exif, 4)
    count, = struct.unpack_from(f'{order}H', exif, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from(f'{order}H', exif, entry) == (_EXIF_ORIENTATION, ):
            return struct.unpack_from(f'{order}H', exif, entry + 8)[0]
    return None


def _png_exif(file: IO[bytes]) -> bytes:
    """EXIF data of a PNG. They may follow the pixels, which Pillow would decode to get there."""
    file.seek(len(_PNG))
    while True:
        length, kind = struct.unpack('>I4s', file.read(8))  # an error at the end of a damaged file
        if kind == b'eXIf':
            return file.read(length)
        if kind == b'IEND':
            return b''
        file.seek(length + 4, os.SEEK_CUR)
