"""Turns valid files into damaged and hostile ones."""
import random
from typing import Sequence

#: Pieces that readers stumble over: extreme numbers, names that leave the folder, markers of JPEG, zip and pickle.
TOKENS = (
    b'\0', b'\xff', b'\xff\xff\xff\xff', b'\x7f\xff\xff\xff', b'\0\0\0\x80', bytes(8), b'\xff' * 8, b'\n', b' ', b'-',
    b'0', b'-1', b'1e39', b'1e400', b'1_0', b'nan', b'inf', b'NaN', b'-Infinity', b'9' * 5000, b'18446744073709551616',
    b'"', b'[' * 3000, b'{"a":' * 500, b'null', b'true', b'[]', b'{}', b'../', b'/etc/', b'\xef\xbb\xbf', b'\xd9\xa1',
    b'\xed\xa0\x80', b'\xff\xd8', b'\xff\xd9', b'\xff\xda\0\x02', b'\xff\xc0', b'\xff\xe1\xff\xff', b'\xff\x01',
    b'\xff\xfe\0\0', b'PK\x03\x04', b'PK\x01\x02', b'cos\nsystem\n', b'cbuiltins\ngetattr\n', b'r\xff\xff\xff\x7f',
    b'b', b'R', b'\x81', b'2', b'.',
)


def mutate(seeds: Sequence[bytes], generator: random.Random) -> bytes:
    """Damage one of the seeds, lightly as a rule.

    Args:
        seeds (Sequence[bytes]): Valid files.
        generator (random.Random): Chooses what is done.

    Returns:
        bytes: A file that is likely to be malformed.
    """
    content = bytearray(generator.choice(seeds))
    for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
        generator.choice(_MUTATIONS)(content, generator, seeds)
    return bytes(content)


def _place(content: bytearray, generator: random.Random) -> int:
    # Heads and ends hold what a reader decides by
    where = generator.randrange(len(content) + 1)
    return generator.choice((where, where, min(where, generator.randrange(200)), max(0, len(content) - where % 200)))


def _change_byte(content: bytearray, generator: random.Random, _: Sequence[bytes]) -> None:
    if content:
        place = min(_place(content, generator), len(content) - 1)
        flipped = content[place] ^ 1 << generator.randrange(8)
        content[place] = generator.choice((generator.randrange(256), flipped, 0, 255))


def _delete(content: bytearray, generator: random.Random, _: Sequence[bytes]) -> None:
    place = _place(content, generator)
    del content[place:place + generator.choice((1, 2, 4, 16, 300))]


def _cut(content: bytearray, generator: random.Random, _: Sequence[bytes]) -> None:
    del content[_place(content, generator):]


def _insert_token(content: bytearray, generator: random.Random, _: Sequence[bytes]) -> None:
    place, token = _place(content, generator), generator.choice(TOKENS)
    content[place:place + generator.choice((0, len(token)))] = token


def _insert_noise(content: bytearray, generator: random.Random, _: Sequence[bytes]) -> None:
    place = _place(content, generator)
    content[place:place] = bytes(generator.choices(range(256), k=generator.choice((1, 2, 8, 64))))


def _repeat(content: bytearray, generator: random.Random, _: Sequence[bytes]) -> None:
    place = _place(content, generator)
    content[place:place] = content[place:place + generator.choice((1, 8, 100))] * generator.choice((1, 2, 200))


def _replace_number(content: bytearray, generator: random.Random, _: Sequence[bytes]) -> None:
    size = generator.choice((1, 2, 4, 8))
    place = _place(content, generator)
    value = generator.choice((0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1), generator.randrange(1 << 8 * size)))
    content[place:place + size] = value.to_bytes(size, generator.choice(('big', 'little')))


def _splice(content: bytearray, generator: random.Random, seeds: Sequence[bytes]) -> None:
    other = generator.choice(seeds)
    content[_place(content, generator):] = other[generator.randrange(len(other) + 1):]


_MUTATIONS = (_change_byte, _change_byte, _change_byte, _delete, _cut, _insert_token, _insert_token, _insert_noise,
              _repeat, _replace_number, _splice)
