"""Batches within a number of bytes, and events that are too large for any."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from ..encoding import decode, encode
from ..event import Event

TOO_LARGE = "too_large"
"""Why content is left out of what is sent."""


def split(sizes: Sequence[int], most: int) -> Iterator[slice]:
    """
    Neighbours that fit into C{most} bytes together; what is larger stands alone.

    @param sizes: of each item, what is between two of them included.
    """
    start = total = 0
    for at, size in enumerate(sizes):
        if at > start and total + size > most:
            yield slice(start, at)
            start, total = at, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def without_bodies(event: Event) -> Event:
    """The same without what was said, and with a word why that is not there."""
    if event.content is None:
        return event
    content = msgspec.structs.replace(
        event.content,
        request_body=None,
        response_body=None,
        request_omitted=event.content.request_omitted or TOO_LARGE,
        response_omitted=event.content.response_omitted or TOO_LARGE,
    )
    return msgspec.structs.replace(event, content=content)


def written(write: Callable[[Event], bytes], event: Event, most: int) -> bytes:
    """
    What C{write} makes of an event, whatever is in it: a text that JSON cannot have becomes one that it can, and what
    is larger than C{most} goes without its bodies. It never fails: such an event would hold up all others.
    """
    try:
        found = write(event)
    except (ValueError, TypeError, OverflowError, RecursionError):
        event = decode(encode(event))
        found = write(event)
    return found if len(found) <= most else write(without_bodies(event))
