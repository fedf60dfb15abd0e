"""Lists in pages, by keyset: a page begins behind the last row of the one before, wherever that is now."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import BigInteger, and_, literal, not_, or_, select, tuple_
from sqlalchemy.engine import Connection

from ..message import Page

T = TypeVar("T")

_LONGEST = 2048
"""Characters; a name of 255 four-byte characters takes 1400."""


def paged(rows: list[T], limit: int, place: Callable[[T], str]) -> Page[T]:
    """
    The page that C{rows} make.

    @param rows: as many as there are, but at most C{limit + 1}.
    """
    return Page(rows[:limit], place(rows[limit - 1]) if len(rows) > limit else None)


def edge_of(connection: Connection, moment: Any, name: Any, most: int, *conditions: Any) -> Any:
    """
    The last of C{most} rows, in an order that descends by C{moment}, then by C{name}; C{None} where there are not
    more. An index has both.
    """
    order = moment.desc(), name.desc()
    found = select(moment.label("moment"), name.label("name")).where(*conditions).order_by(*order)
    last = connection.execute(found.offset(most - 1).limit(2)).all()
    return last[0] if len(last) > 1 else None


def until_edge(connection: Connection, moment: Any, name: Any, edge: Any) -> Any:
    """The rows up to that one, see L{edge_of}."""
    return and_(moment >= literal(edge.moment, BigInteger), not_(behind(connection, moment, name, *edge)))


def bounded(page: Page[T], edge: Any) -> Page[T]:
    """A page of what was found up to C{edge}: where it is not full, the next one goes on there."""
    if edge is None or page.after is not None:
        return page
    return Page(page.items, position(*edge), edge.moment / 1_000_000)


def check_limit(limit: int) -> None:
    """
    @raise ValueError: it is below 1.
    """
    if limit < 1:
        raise ValueError("limit: expected 1 or more")


def position(*values: int | str) -> str:
    """Where a row is, in a form to hand out."""
    return urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_position(text: str, *kinds: type) -> Any:
    """
    The values that L{position} was given.

    @raise ValueError: it was not given values of such kinds.
    """
    try:
        values = json.loads(urlsafe_b64decode(text[:_LONGEST].encode("ascii") + b"=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or tuple(map(type, values)) != kinds or not all(map(_is_storable, values)):
        raise ValueError("after: expected what the page before gave")
    return values


def _is_storable(value: int | str) -> bool:
    """Whether a database can compare with it: 64 bits, and text that is text."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return "\0" not in value and value.encode("utf-8", "replace").decode() == value


def behind(connection: Connection, moment: Any, name: Any, last_moment: int, last_name: str) -> Any:
    """
    The rows that stand behind one, in an order that descends by C{moment}, then by C{name}.

    @param last_moment: microseconds since the epoch.

    MySQL compares a pair with an index only if it is written out; SQLite and PostgreSQL only if it is not.
    """
    last = literal(last_moment, BigInteger)
    if connection.dialect.name == "mysql":
        return or_(moment < last, and_(moment == last, name < last_name))
    return tuple_(moment, name) < tuple_(last, literal(last_name))
