"""What the header of a JPEG says (ITU-T T.81, annex B), read without a decoder."""
from typing import Iterator, Optional, Tuple

_SOI, _EOI, _SOS = b'\xff\xd8', b'\xff\xd9', 0xDA
# Start of frame, of every kind of coding; the three left out define tables
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def is_truncated_jpeg(content: bytes) -> bool:
    """Whether a JPEG ends within its header or lacks the end-of-image marker behind its first start of scan.

    The header is walked segment by segment, because an embedded thumbnail has an end marker of its own. In the scan
    the marker cannot occur by chance: there a data byte 0xFF is always followed by 0x00 (B.1.1.5).
    """
    if not content.startswith(_SOI):
        return False
    for marker, position in _segments(content):
        if marker == _SOS:
            # From the end, where it is, so that the scan is not searched
            return content.rfind(_EOI, position) < 0
    return True


def jpeg_size(content: bytes) -> Optional[Tuple[int, int]]:
    """Height and width in pixels, as stored; None if the content is no JPEG or its header is cut off."""
    if not content.startswith(_SOI):
        return None
    for marker, position in _segments(content):
        if marker in _START_OF_FRAME and position + 7 <= len(content):
            # After the length of the segment and the bits of a sample
            return (int.from_bytes(content[position + 3:position + 5], 'big'),
                    int.from_bytes(content[position + 5:position + 7], 'big'))
    return None


def _segments(content: bytes) -> Iterator[Tuple[int, int]]:
    """Marker and place of the length of each segment of the header, to the first start of scan."""
    position, marker = len(_SOI), None
    while marker != _SOS and position + 4 <= len(content) and content[position] == 0xFF:
        if content[position + 1] == 0xFF:  # 0xFF may be repeated as filling before a marker
            position += 1
            continue
        marker, position = content[position + 1], position + 2
        yield marker, position
        position += int.from_bytes(content[position:position + 2], 'big')
