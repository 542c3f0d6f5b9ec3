"""The tests that ``docs/security.md`` names exist."""
import re


def test_every_named_test_is_there(repo):
    text = (repo / 'docs' / 'security.md').read_text()
    references = re.findall(r'`(tests/[\w/]+\.py)?(?:::(\w+))?`', text)
    assert len(references) > 15
    path = None
    for file, function in references:
        path = repo / file if file else path
        assert path.is_file(), path
        assert not function or f'def {function}(' in path.read_text(), f'{path}: no {function}'
