"""Read and limit image sizes from file headers; the error for unusable images."""
import errno
import io
import os
import struct
from typing import IO, Optional, Tuple

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from .jpeg_header import jpeg_size

#: Maximum number of pixels of an image to decode, which then takes 805 MB. Allows panoramas of 23,000 x 11,600 pixels.
MAX_PIXELS = 2**28

# Every 64 pixels of a JPEG take at least one bit, the shortest Huffman code (arithmetic coding could take less, but is
# not used in practice). A header that claims more is wrong and would make the decoder allocate gigabytes.
_JPEG_PIXELS_PER_BYTE = 64 * 8
_HEADER_ERRORS = (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error)
_EXIF_ORIENTATION = 0x0112
_EXIF = b'Exif\0\0'
_PNG = b'\x89PNG\r\n\x1a\n'


class BadImageError(OSError):
    """Error for a file that is damaged, too large or not an image; the message names it and says what to do."""


def is_image_error(error: OSError) -> bool:
    """Return whether an error is caused by one image file, not by the machine (memory, network, open files)."""
    about_one_file = BadImageError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError
    return isinstance(error, about_one_file) or error.errno == errno.EIO  # a bad sector


def read_size(file: IO[bytes]) -> Optional[Tuple[int, int]]:
    """Read width and height of an image from its header only.

    Args:
        file (IO[bytes]): An image file, positioned at its start.

    Returns:
        Tuple[int, int] | None: Width and height in pixels, rotated according to the EXIF orientation like
        ``cv2.imread``; None for a file without a readable image header.
    """
    try:
        return _read_size(file)
    except Image.DecompressionBombError:
        return None


def check_size(content: bytes, path: str) -> Optional[Tuple[int, int]]:
    """Reject an image that is too large, or whose header claims so.

    Args:
        content (bytes): Content of an image file.
        path (str): Name of the file, for the error message.

    Returns:
        Tuple[int, int] | None: The two sides in pixels, in any order; None if the header cannot be read.

    Raises:
        BadImageError: The image has more than :data:`MAX_PIXELS` pixels, or a JPEG more than its data can hold.
    """
    is_jpeg = content.startswith(b'\xff\xd8')
    try:
        size = jpeg_size(content) if is_jpeg else _read_size(io.BytesIO(content))
    except Image.DecompressionBombError as error:
        raise BadImageError(f'{path}: too many pixels for a file that is neither JPEG nor PNG; scale the '
                            f'image down or save it in one of these formats ({error})') from error
    if size is None:
        return None
    pixels = size[0] * size[1]
    if is_jpeg and pixels > _JPEG_PIXELS_PER_BYTE * len(content):
        raise BadImageError(f'{path}: damaged: its header claims {pixels:,} pixels, more than {len(content):,} bytes '
                            'can contain; download it again')
    if pixels > MAX_PIXELS:
        raise BadImageError(f'{path}: {pixels:,} pixels exceed the limit of {MAX_PIXELS:,}; scale the image '
                            'down or cut it into tiles')
    return size


def _read_size(file: IO[bytes]) -> Optional[Tuple[int, int]]:
    try:
        image = _open(file)
    except _HEADER_ERRORS:
        return None
    width, height = image.size
    # Orientations 5 to 8 swap width and height
    return (height, width) if _orientation(image, file) in (5, 6, 7, 8) else (width, height)


def _open(file: IO[bytes]) -> Image.Image:
    """Open JPEG and PNG without ``Image.open``, whose limit of 179 million pixels is global to the process."""
    signature = file.read(len(_PNG))
    file.seek(0)
    if signature.startswith(b'\xff\xd8'):
        return JpegImageFile(file)
    return PngImageFile(file) if signature == _PNG else Image.open(file)


def _orientation(image: Image.Image, file: IO[bytes]) -> Optional[int]:
    try:
        exif = _png_exif(file) if isinstance(image, PngImageFile) else image.info.get('exif')
        return _exif_orientation(exif) if exif else image.getexif().get(_EXIF_ORIENTATION)
    except _HEADER_ERRORS:  # damaged EXIF data: OpenCV does not rotate the image either
        return None


def _exif_orientation(exif: bytes) -> Optional[int]:
    """Read the orientation from EXIF data like OpenCV, which, unlike Pillow, ignores the type of the entry."""
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
    """Read the EXIF data of a PNG, which may follow the pixels. Pillow would decode the pixels first."""
    file.seek(len(_PNG))
    while True:
        length, kind = struct.unpack('>I4s', file.read(8))  # an error at the end of a damaged file
        if kind == b'eXIf':
            return file.read(length)
        if kind == b'IEND':
            return b''
        file.seek(length + 4, os.SEEK_CUR)
