"""What the documentation site needs beyond MkDocs: links into the repository, and Sphinx roles in docstrings."""
import re
from typing import Any

import griffe

_LINK_OUT = re.compile(r'\]\(((?:\.\./)+)([^)\s]+)\)')
_ROLE = re.compile(r':(?:class|obj|func|meth|mod|attr|data|exc):`(?:[^`<]*<)?~?([^`>]+)>?`')


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Let links that leave ``docs/`` lead to the repository, where GitHub's readers find them by the relative path."""
    depth = page.file.src_uri.count('/')

    def replace(match: 're.Match[str]') -> str:
        ups = match.group(1).count('../')
        return f']({config.repo_url}/blob/main/{match.group(2)})' if ups > depth else match.group(0)

    return _LINK_OUT.sub(replace, markdown)


class SphinxRoles(griffe.Extension):
    """Show ``:class:`X``` of a docstring as code, since MkDocs knows no roles."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = _ROLE.sub(r'`\1`', obj.docstring.value)
