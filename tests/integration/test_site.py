"""The site of the documents: it is made without a warning, its links lead somewhere, and it needs no network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import unquote, urlsplit

from attrs import define, field
from pydoctor.epydoc2stan import format_docstring
from pydoctor.options import Options
from twisted.trial.unittest import SynchronousTestCase

from ..documents.api import Package
from ..tables import row
from .processes import ROOT

ELSEWHERE = re.compile(r"(?:@import|url\()\s*['\"]?(?:https?:)?//[^)]*")
"""What a style sheet would fetch."""


@cache
def site() -> Path:
    """The site, made once."""
    place = Path(mkdtemp(dir=".", prefix="site-")).absolute()
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--quiet", "-c", "docs", ".", str(place)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return place


@define
class Page(HTMLParser):
    """What a page refers to, and the names of its places."""

    links: list[str] = field(factory=list)
    loaded: list[str] = field(factory=list)
    places: set[str] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name"):
                self.places.add(value or "")
            elif name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("href", "src") and tag in ("link", "script", "img", "iframe"):
                self.loaded.append(value or "")


@cache
def page(path: Path) -> Page:
    found = Page()
    found.feed(path.read_text("utf-8"))
    return found


def pages() -> list[Path]:
    return sorted(path for path in site().rglob("*.html") if "_static" not in path.parts)


def problem(path: Path, link: str) -> str:
    """What is wrong with a link of a page; C{""} if it leads somewhere, or away."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return "" if parts.scheme in ("https", "http", "mailto") else f"{link}: a scheme that nobody follows"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return f"{link}: there is no such page"
    if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in page(target).places:
        return f"{link}: the page has no such place"
    return ""


class SiteTests(SynchronousTestCase):
    def test_links(self) -> None:
        """Each link between pages leads to a page, and to a place that it has."""
        self.assertGreater(len(pages()), 40)
        wrong = []
        for path in pages():
            for link in page(path).links:
                found = problem(path, link)
                if found:
                    wrong.append(f"{path.relative_to(site())}: {found}")
        self.assertEqual(wrong, [])

    def test_offline(self) -> None:
        """Nothing that a page shows or runs comes from elsewhere."""
        for path in pages():
            for address in page(path).loaded:
                with row(path.name, address):
                    self.assertFalse(urlsplit(address).netloc)
        for path in (site() / "_static").rglob("*.css"):
            with row(path.name):
                self.assertEqual(
                    re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//[^)]*", path.read_text("utf-8")), []
                )

    def test_search(self) -> None:
        """Words of a page are found."""
        text = (site() / "searchindex.js").read_text("utf-8")
        index = json.loads(text[text.index("{") : text.rindex("}") + 1])
        for word, name in (("idempot", "docs/management"), ("downgrad", "docs/limits")):
            found = index["terms"][word]
            numbers = found if isinstance(found, list) else [found]
            self.assertIn(name, [index["docnames"][number] for number in numbers], word)

    def test_every_page(self) -> None:
        """Each document is a page that the side bar leads to."""
        links = {urlsplit(link).path for link in page(site() / "docs" / "README.html").links}
        for path in (ROOT / "docs").glob("*.md"):
            if path.name != "README.md":
                with row(path.name):
                    self.assertIn(f"{path.stem}.html", links)


class Noting(Package):
    """pydoctor, with its warnings in a list."""

    def __init__(self, options: Options) -> None:
        self.warned: list[str] = []
        super().__init__(options)

    def msg(self, section: str, msg: str, thresh: int = 0, **more: Any) -> None:
        if thresh < 0:
            self.warned.append(msg)


def _refers(docstring: str) -> bool:
    """Whether it has links, or names parameters."""
    return "L{" in docstring or "\n@" in docstring


class ApiTests(SynchronousTestCase):
    def test_links(self) -> None:
        """Each link of a docstring leads to something that has a page, or to Python, Twisted or treq."""
        system = Noting(Options.from_args(["--docformat=epytext", str(ROOT / "llmproxy")]))
        builder = system.systemBuilder(system)
        builder.addModule(ROOT / "llmproxy")
        builder.buildModules()
        shown = [each for each in list(system.allobjects.values()) if _refers(each.docstring or "") and each.isVisible]
        self.assertGreater(len(shown), 300)
        for each in shown:
            format_docstring(each)
        self.assertEqual(system.warned, [])
