"""Lists in pages: an array as ever, and where the next page is in C{Link} (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from msgspec import UNSET, Meta, Struct, UnsetType
from twisted.internet.defer import Deferred

from ...errors import BadRequest
from ...message import Page
from ..operations import Call

T = TypeVar("T")

MAX_PAGE = 1000
"""Entries, also where no C{limit} is asked for: a page of so many takes some milliseconds to write."""


class Paging(Struct, forbid_unknown_fields=True):
    """Parameters of every list."""

    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="How many entries at most.")] = MAX_PAGE
    cursor: Annotated[str, Meta(max_length=2048, description="Of the link to the next page.")] = ""


async def rows(call: Call, page: Callable[..., Deferred[Page[T]]], **wanted: Any) -> list[T]:
    """
    The rows of the page that is asked for; the answer says where the next one is.

    @param page: of a store.
    @param wanted: its filters.
    @raise BadRequest: the cursor is none.
    """
    query: Paging = call.query
    try:
        asking = page(query.limit, query.cursor or None, **wanted)
    except ValueError:
        raise BadRequest("expected the one of the link to the next page", message="invalid cursor") from None
    found = await asking
    link_next(call, found.after)
    return found.items


def link_next(call: Call, after: str | None) -> None:
    """Say in the answer where the next page is, if there is one."""
    if after is not None:
        path, _, text = call.request.uri.partition(b"?")
        pairs = [pair for pair in parse_qsl(text.decode()) if pair[0] != "cursor"]
        target = path + b"?" + urlencode([*pairs, ("cursor", after)]).encode()
        call.fields.append((b"Link", b'<%b>; rel="next"' % target))


def given(value: T | UnsetType) -> T | None:
    """A parameter, or C{None}."""
    return None if value is UNSET else value
