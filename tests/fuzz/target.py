"""A reader to be fuzzed, and values for hypothesis to make inputs of."""
import json
import random
from pathlib import Path
from typing import Any, Callable, Optional, Sequence, Type

from hypothesis import strategies as st
from mutation import mutate


class Target:
    """A reader to be fuzzed.

    Args:
        name (str): Its name in the table.
        seeds (Sequence[bytes]): Valid inputs, which it must read.
        read (Callable): Takes an input and what ``prepare`` has returned.
        errors (Sequence[type]): What it may raise, and nothing else. Defaults to nothing at all.
        file (str): Name that the input gets in the folder of the target. Defaults to 'input', for readers of bytes.
        strategy (SearchStrategy, optional): Makes further inputs. Defaults to None.
        pack (Callable, optional): Makes a file out of a mutated input, in half of the cases: what is compressed or
            has a checksum hardly ever gets past either when its bytes are changed. Takes the random generator too.
    """

    def __init__(self, name: str, seeds: Sequence[bytes], read: Callable[[Any], Any],
                 errors: Sequence[Type[BaseException]] = (), file: str = 'input',
                 strategy: Optional[st.SearchStrategy] = None, setup: Optional[Callable[[Path], None]] = None,
                 pack: Optional[Callable[[random.Random], bytes]] = None) -> None:
        self.name, self.seeds, self.errors, self.strategy = name, list(seeds), tuple(errors), strategy
        self._read, self._file, self._setup, self._pack = read, file, setup, pack

    def prepare(self, folder: Path) -> Path:
        """Make the folder of the target; returns the path that the inputs are written to."""
        path = folder / self._file
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._setup:
            self._setup(folder)
        return path

    def read(self, content: bytes, path: Path) -> None:
        """Read an input."""
        path.write_bytes(content)
        self._read(path)

    def mutate(self, generator: random.Random) -> bytes:
        """Make a damaged input."""
        if self._pack and generator.random() < 0.5:
            return self._pack(generator)
        return mutate(self.seeds, generator)


# ======================== Values for hypothesis ========================
NUMBERS = st.one_of(
    st.integers(0, 100), st.floats(0, 100), st.integers(), st.floats(),
    st.sampled_from([-1, 1e39, -1e300, 2**31, 2**63, 2**64, 10**400, True]))
WORDS = st.one_of(
    st.text(max_size=8), st.sampled_from(['e/a.jpg', 'e/b.jpg', '../a.jpg', '/a.jpg', 'e/\0.jpg', '', '1_0']))
JUNK = st.recursive(st.one_of(st.none(), NUMBERS, WORDS), lambda inner: st.one_of(
    st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=3)), max_leaves=6)


def nearly(value: st.SearchStrategy) -> st.SearchStrategy:
    """Draw the expected value most of the time, and junk otherwise."""
    return st.integers(0, 19).flatmap(lambda number: value if number else JUNK)


def nearly_dict(**values: st.SearchStrategy) -> st.SearchStrategy:
    """Draw a dict in which most keys and values are as expected."""
    complete = st.fixed_dictionaries({key: nearly(value) for key, value in values.items()})
    return nearly(st.one_of(complete, complete, complete, st.fixed_dictionaries({}, optional=values)))


def encoded(value: st.SearchStrategy) -> st.SearchStrategy:
    """Encode a value as JSON."""
    return value.map(lambda content: json.dumps(content).encode())


TEXT_LINES = st.lists(st.one_of(
    st.sampled_from(['e/a.jpg', 'e/b.jpg', 'a', '0', '1', '2', '1 2 3 4 .5', '1 2 3 4 0 0 0 0 0 0', '0 ' * 10]),
    st.lists(st.one_of(NUMBERS.map(str), WORDS), max_size=11).map(' '.join)), max_size=8).map(
        lambda lines: '\n'.join(lines).encode('utf-8', 'surrogatepass'))

FOUR_NUMBERS = st.lists(nearly(st.floats(0, 100)), min_size=4, max_size=4)
