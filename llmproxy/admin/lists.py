"""Lists in pages: what is asked of the API for one, and the links to others. Filters live in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from .visit import Visit

SIZE = 50
"""Entries of a page; the API has a thousand at most."""


@frozen
class Listing:
    """
    @ivar rows: of this page.
    @ivar next: the address of the next page, C{""} if this is the last.
    @ivar first: the address of the first, C{""} if this is it.
    """

    rows: Sequence[Any]
    next: str
    first: str


async def listing(visit: Visit, path: str, query: Mapping[str, str], size: int = SIZE) -> Listing:
    """
    One page of a list of the API.

    @param query: filters, by the names that the API has; C{""} is none.
    """
    after = visit.query.get("after", "")
    answer = await visit.api.ask("GET", path, query={**query, "limit": str(size), "cursor": after})
    return Listing(
        answer.value,
        visit.link(after=answer.after) if answer.after else "",
        visit.link(after="") if after else "",
    )
