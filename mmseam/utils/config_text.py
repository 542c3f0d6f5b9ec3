"""Read the text of a dumped config as data.

MMEngine stores the config of a training as Python text in the checkpoint, and executes it to read it. A checkpoint may
come from a stranger, so this parser accepts only what ``Config.dump`` writes: assignments of numbers, strings, lists,
tuples, dicts and ``dict(key=value)``.
"""
import ast
import io
import tokenize
from typing import Any, Dict, List, NoReturn

_LONGEST = 2**22  # characters; configs take 10,000 to 100,000
_DEEPEST = 60
_CONSTANTS = {'True': True, 'False': False, 'None': None, 'inf': float('inf'), 'nan': float('nan')}
_IGNORED = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER)


class ConfigTextError(ValueError):
    """Text that is not a dumped config; the message names the line."""


def parse_config_text(text: str) -> Dict[str, Any]:
    """Parse the text of a dumped config without executing anything.

    Args:
        text (str): The text.

    Returns:
        Dict[str, Any]: Values by key, of plain types.

    Raises:
        ConfigTextError: It contains anything but assignments of plain values.
    """
    if len(text) > _LONGEST:
        raise ConfigTextError(f'more than {_LONGEST:,} characters, too long for a config')
    try:
        tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in _IGNORED]
    except (tokenize.TokenError, SyntaxError, ValueError) as error:
        raise ConfigTextError(f'not valid Python: {error}') from error
    return _Parser(tokens).assignments()


class _Parser:
    """Recursive descent over tokens, at most :data:`_DEEPEST` brackets deep."""

    def __init__(self, tokens: List[tokenize.TokenInfo]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0

    def assignments(self) -> Dict[str, Any]:
        found = {}
        while self.position < len(self.tokens):
            if self.peek().type == tokenize.NEWLINE:
                self.position += 1
                continue
            name = self.name()
            self.expect('=')
            found[name] = self.value()
            if self.position < len(self.tokens) and self.peek().type != tokenize.NEWLINE:
                self.fail()
        return found

    def peek(self) -> tokenize.TokenInfo:
        if self.position == len(self.tokens):
            raise ConfigTextError('the text ends in the middle of a value')
        return self.tokens[self.position]

    def fail(self) -> NoReturn:
        token = self.peek()
        raise ConfigTextError(f'line {token.start[0]}: {token.string[:50]!r} does not belong in a dumped config')

    def accept(self, string: str) -> bool:
        token = self.peek()
        is_there = token.type == tokenize.OP and token.string == string
        self.position += is_there
        return is_there

    def expect(self, string: str) -> None:
        if not self.accept(string):
            self.fail()

    def name(self) -> str:
        token = self.peek()
        if token.type != tokenize.NAME or token.string in _CONSTANTS:
            self.fail()
        self.position += 1
        return token.string

    def value(self) -> Any:
        token = self.peek()
        if token.type in (tokenize.STRING, tokenize.NUMBER):
            return self.literal()
        if token.type == tokenize.NAME and token.string in _CONSTANTS:
            self.position += 1
            return _CONSTANTS[token.string]
        if self.accept('-'):
            if self.peek().type != tokenize.NUMBER and self.peek().string != 'inf':
                self.fail()
            return -self.value()
        return self.container()

    def literal(self) -> Any:
        token = self.peek()
        try:
            value = ast.literal_eval(token.string)
        except (ValueError, SyntaxError, MemoryError):
            self.fail()
        if not isinstance(value, (str, int, float)):
            self.fail()
        self.position += 1
        if isinstance(value, str) and self.position < len(self.tokens) and self.peek().type == tokenize.STRING:
            self.fail()
        return value

    def container(self) -> Any:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail()
        token = self.peek()
        if token.string == 'dict':
            self.position += 1
            self.expect('(')
            if self.peek().string == '{':  # how Config.dump writes keys that are not identifiers
                found: Any = self.value()
                self.expect(')')
            else:
                found = dict(self.items(')', self.keyword))
        elif self.accept('{'):
            found = dict(self.items('}', self.pair))
        elif self.accept('['):
            found = self.items(']', self.value)
        else:
            self.expect('(')
            found = self.tuple()
        self.depth -= 1
        return found

    def tuple(self) -> Any:
        """Return a tuple, or the value in parentheses without a comma."""
        start = self.position
        items = self.items(')', self.value)
        has_comma = any(token.string == ',' for token in self.tokens[start:self.position][-2:-1])
        return items[0] if len(items) == 1 and not has_comma else tuple(items)

    def items(self, closing: str, read: Any) -> List[Any]:
        found = []
        while not self.accept(closing):
            found.append(read())
            if not self.accept(','):
                self.expect(closing)
                break
        return found

    def keyword(self) -> Any:
        name = self.name()
        self.expect('=')
        return name, self.value()

    def pair(self) -> Any:
        key = self.literal() if self.peek().type in (tokenize.STRING, tokenize.NUMBER) else self.fail()
        self.expect(':')
        return key, self.value()
