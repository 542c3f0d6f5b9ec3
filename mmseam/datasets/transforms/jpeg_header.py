"""Parse JPEG headers (ITU-T T.81, annex B) without a decoder."""
import re
from typing import Iterator, Optional, Tuple

_SOI, _EOI, _SOS = b'\xff\xd8', b'\xff\xd9', 0xDA
# Start of frame for every type of coding; the three excluded markers define tables
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# A marker that is followed by a length: no stuffed zero, no TEM, no restart marker, no fill byte. Like libjpeg, skip
# any other bytes between two segments.
_SEGMENT_MARKER = re.compile(rb'\xff([\x02-\xcf\xd8-\xfe])')
# Cameras write a few dozen; the limit keeps crafted files from keeping the parser busy
_MAX_SEGMENTS = 100_000


def is_truncated_jpeg(content: bytes) -> bool:
    """Return whether a JPEG ends within its header or has no end-of-image marker after its first start of scan.

    The header is parsed segment by segment because an embedded thumbnail has its own end marker. Inside the scan the
    marker cannot occur by chance: a data byte 0xFF is always followed by 0x00 (B.1.1.5). Other damage is left to the
    decoder.
    """
    if not content.startswith(_SOI):
        return False
    scan = next((position for marker, position in _segments(content) if marker == _SOS), len(content))
    # Search from the end, where the marker is, to avoid searching the scan
    return content.rfind(_EOI, scan) < 0


def jpeg_size(content: bytes) -> Optional[Tuple[int, int]]:
    """Read height and width in pixels as stored; return None if the content is not a JPEG or its header is cut off."""
    if not content.startswith(_SOI):
        return None
    for marker, position in _segments(content):
        if marker in _START_OF_FRAME and position + 7 <= len(content):
            # Height and width follow the segment length and the sample precision
            return (int.from_bytes(content[position + 3:position + 5], 'big'),
                    int.from_bytes(content[position + 5:position + 7], 'big'))
    return None


def _segments(content: bytes) -> Iterator[Tuple[int, int]]:
    """Yield the marker and the position of the length of each header segment, up to the first start of scan."""
    found = _SEGMENT_MARKER.search(content, len(_SOI))
    for _ in range(_MAX_SEGMENTS):
        if not found or found.end() + 2 > len(content):
            return
        marker, position = found.group(1)[0], found.end()
        yield marker, position
        if marker == _SOS:
            return
        # The length includes its own two bytes
        length = max(2, int.from_bytes(content[position:position + 2], 'big'))
        found = _SEGMENT_MARKER.search(content, position + length)
