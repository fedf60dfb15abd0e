"""
The site of the documents, by Sphinx: C{make docs}.

Its pages are the Markdown that is read beside the code. What stands in the side bar, and in which order, is said by the
tables of C{docs/README.md}; a page that is not in them stands below "More".
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
INDEX = "docs/README"

sys.path.insert(0, str(ROOT))

import llmproxy  # noqa: E402 - loads nothing else

# The root of the checkout is the source, so that README.md, NEWS.md and config/apis.yaml are where links say.
PAGES = ("README.md", "NEWS.md", "CONTRIBUTING.md", "SECURITY.md")

project = "llmproxy"
author = "the llmproxy project"
project_copyright = "MIT licence"
release = version = llmproxy.__version__

extensions = ["myst_parser"]
root_doc = INDEX
include_patterns = [*PAGES, "docs/**.md"]
exclude_patterns = [each.name for each in ROOT.iterdir() if each.name != "docs" and each.name not in PAGES]
templates_path = ["_templates"]
nitpicky = True

# Anchors as GitHub makes them, so that one link works in both places.
myst_heading_anchors = 5

html_theme = "furo"
html_title = f"llmproxy {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_domain_indices = False
html_use_index = False
html_additional_pages = {"index": "redirect.html"}
highlight_language = "none"

_LINK = re.compile(r"\]\(([\w./-]+\.md)\)")
_COMMENT = re.compile(r"^<!--.*?-->\n", re.DOTALL | re.MULTILINE)


def groups(index: str, names: set[str]) -> list[tuple[str, list[str]]]:
    """
    The side bar: the headings of the index, each with the pages that its text links to first.

    @param names: every page there is, as Sphinx names it.
    """
    found: list[tuple[str, list[str]]] = []
    left = names - {INDEX}
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        caption, _, text = section.partition("\n")
        pages = []
        for link in _LINK.findall(text):
            name = str((DOCS / link).resolve().relative_to(ROOT)).removesuffix(".md")
            if name in left:
                left.remove(name)
                pages.append(name)
        if pages:
            found.append((caption, pages))
    return [*found, ("More", sorted(left))] if left else found


def toctrees(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give the index its side bar; take out what tests say of the commands of a page."""
    source[0] = _COMMENT.sub("", source[0])
    if docname == INDEX:
        trees = [
            f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "".join(f"/{name}\n" for name in pages) + "```\n"
            for caption, pages in groups(source[0], set(app.env.found_docs))
        ]
        source[0] += "\n\n" + "\n".join(trees)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", toctrees)
