"""Answers of views: a page, somewhere else to go, a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ..web.streamed import Streamed


@frozen
class Page:
    """
    @ivar template: the name of a file in C{templates}.
    @ivar context: what stands in it; see C{templates/base.html} for what all pages have besides.
    """

    template: str
    context: Mapping[str, Any] = field(factory=dict)
    status: int = 200


@frozen
class Redirect:
    """
    After a form was acted on (303), so that who loads the page anew sends nothing twice.

    @ivar path: below the pages, C{/projects/…}.
    @ivar flash: a sentence for the next page.
    """

    path: str
    flash: str = ""


@frozen
class Download:
    """A file of any length, written as fast as it is taken."""

    streamed: Streamed


@frozen
class Events:
    """Server-sent events, for as long as the browser takes them."""

    streamed: Streamed


ViewAnswer = Page | Redirect | Download | Events
