"""Slices of faces by attribute and size, defined by boolean expressions such as ``'occlusion=heavy & height>=20'``.

Grammar (precedence from lowest to highest: ``|``, ``&``, ``!``)::

    disjunction = conjunction ('|' conjunction)*
    conjunction = term ('&' term)*
    term        = '!' term | '(' disjunction ')' | subset | column operator value
    operator    = '=' | '==' | '!=' | '<' | '<=' | '>' | '>='

A column is an attribute of the annotations, or ``width`` or ``height`` in pixels of the original image. A subset is the
name of a keep-list, such as ``hard``. A value is a number or one of the names in :data:`VALUE_NAMES`.
"""
import operator
import re
from typing import Dict, List, Mapping, NoReturn, Tuple

import numpy as np

from .ground_truth import WIDERFaceGroundTruth

# Names from the README of the official annotations; the index in the tuple is the label.
VALUE_NAMES = dict(
    blur=('clear', 'normal', 'heavy'),
    expression=('typical', 'exaggerate'),
    illumination=('normal', 'extreme'),
    invalid=('false', 'true'),
    occlusion=('none', 'partial', 'heavy'),
    pose=('typical', 'atypical'))

# Heights are integers in the official annotations.
STANDARD_SLICES = {
    **{
        f'{column}={value}': f'{column}={value}'
        for column in ('occlusion', 'blur', 'pose', 'illumination', 'expression') for value in VALUE_NAMES[column]
    },
    'height<16': 'height<16',
    'height 16-31': 'height>=16 & height<32',
    'height 32-63': 'height>=32 & height<64',
    'height 64-127': 'height>=64 & height<128',
    'height>=128': 'height>=128',
}

# For splits without official keep-lists. On val, each is a subset of the official one with 98.8, 98.2 and 97.5 % of its
# faces.
DERIVED_SUBSETS = dict(
    derived_easy='height>50 & invalid=false',
    derived_medium='height>30 & invalid=false',
    derived_hard='height>10 & invalid=false')

_OPERATORS = {
    '=': operator.eq,
    '==': operator.eq,
    '!=': operator.ne,
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge
}
_TOKEN = re.compile(r'\s*(?:(?P<symbol><=|>=|!=|==|[=<>!&|()])|(?P<word>[A-Za-z_]\w*)|(?P<number>-?\d+(?:\.\d*)?))')


class SliceError(ValueError):
    """Error for an invalid expression; the message points at the position."""

    def __init__(self, expression: str, position: int, problem: str) -> None:
        super().__init__(f'{problem}\n  {expression}\n  {" " * position}^')
        self.position = position


def select_faces(ground_truth: WIDERFaceGroundTruth, expressions: Mapping[str, str]) -> Dict[str, np.ndarray]:
    """Compute the keep-lists of slices.

    Args:
        ground_truth (WIDERFaceGroundTruth): Faces with attributes.
        expressions (Mapping[str, str]): Expressions by name of the slice.

    Returns:
        dict[str, np.ndarray]: Boolean masks of shape (F,) by name of the slice.

    Raises:
        SliceError: An expression is malformed or uses a name that the ground truth does not have.

    Example:
        >>> from mmseam.evaluation.functional.wider_face.ground_truth import WIDERFaceGroundTruth
        >>> truth = WIDERFaceGroundTruth.from_images(
        ...     ['0--Parade/a'], [np.array([[10, 10, 40, 50], [200, 30, 12, 15]])], attributes=dict(occlusion=[[2, 0]]))
        >>> select_faces(truth, {'covered': 'occlusion=heavy', 'small': 'height<20'})
        {'covered': array([ True, False]), 'small': array([False,  True])}
    """
    columns = dict(ground_truth.attributes, **ground_truth.subsets)
    columns.update(width=ground_truth.boxes[:, 2], height=ground_truth.boxes[:, 3])
    return {name: _Parser(expression, columns).mask() for name, expression in expressions.items()}


class _Parser:
    """Recursive descent parser that computes the mask of an expression."""

    def __init__(self, expression: str, columns: Mapping[str, np.ndarray]) -> None:
        self.expression = expression
        self.columns = columns
        self.tokens = self._tokenize()
        self.next = 0

    def mask(self) -> np.ndarray:
        mask = self._disjunction()
        if self._peek():
            self._fail(f'expected "&", "|" or the end, not {self._peek()!r}')
        return mask

    def _tokenize(self) -> List[Tuple[str, str, int]]:
        tokens, position, end = [], 0, len(self.expression.rstrip())
        while position < end:
            match = _TOKEN.match(self.expression, position)
            if match is None:
                blank = len(self.expression[position:]) - len(self.expression[position:].lstrip())
                raise SliceError(self.expression, position + blank, 'unexpected character')
            kind = str(match.lastgroup)
            tokens.append((kind, match.group(kind), match.start(kind)))
            position = match.end()
        return [*tokens, ('end', '', end)]

    def _peek(self) -> str:
        return self.tokens[self.next][1]

    def _take(self) -> Tuple[str, str, int]:
        token = self.tokens[self.next]
        self.next = min(self.next + 1, len(self.tokens) - 1)
        return token

    def _fail(self, problem: str, back: int = 0) -> NoReturn:
        raise SliceError(self.expression, self.tokens[self.next - back][2], problem)

    def _disjunction(self) -> np.ndarray:
        mask = self._conjunction()
        while self._peek() == '|':
            self._take()
            mask = mask | self._conjunction()
        return mask

    def _conjunction(self) -> np.ndarray:
        mask = self._term()
        while self._peek() == '&':
            self._take()
            mask = mask & self._term()
        return mask

    def _term(self) -> np.ndarray:
        kind = self.tokens[self.next][0]
        if self._peek() == '!':
            self._take()
            return ~self._term()
        if self._peek() == '(':
            self._take()
            mask = self._disjunction()
            if self._peek() != ')':
                self._fail('expected ")"')
            self._take()
            return mask
        if kind != 'word':
            self._fail('expected a column, a subset, "!" or "("')
        return self._comparison()

    def _comparison(self) -> np.ndarray:
        name = self._peek()
        if name not in self.columns:
            self._fail(f'no column or subset {name!r}; there are {", ".join(sorted(self.columns))}')
        column = self.columns[self._take()[1]]
        if column.dtype == bool:
            return column
        compare = _OPERATORS.get(self._peek())
        if compare is None:
            self._fail(f'expected an operator after {name!r}: {" ".join(_OPERATORS)}')
        self._take()
        return compare(column, self._value(name))

    def _value(self, column: str) -> float:
        kind, text, _ = self.tokens[self.next]
        names = VALUE_NAMES.get(column, ())
        if kind == 'word' and text in names:
            self._take()
            return names.index(text)
        if kind != 'number':
            self._fail(f'expected a value of {column!r}: a number{"".join(f", {name}" for name in names)}')
        self._take()
        return float(text)
