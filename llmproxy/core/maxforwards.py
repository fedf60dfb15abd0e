"""C{Max-Forwards}: how many proxies an C{OPTIONS} or C{TRACE} may still pass, RFC 9110 section 7.6.2."""

from __future__ import annotations

from ..errors import BadRequest
from ..message import Field, Fields
from .fields import LOWER, values

COUNTED = frozenset({b"OPTIONS", b"TRACE"})
"""The methods that it is defined for; with others it is passed on as it came."""

MOST = 255
"""The largest number that is sent on; a larger one becomes this, as the section allows."""


def hops_left(fields: Fields) -> int | None:
    """
    @return: C{None} where the request says nothing of it.
    @raise BadRequest: it is no number, or stands there twice.
    """
    lines = values(fields, b"max-forwards")
    if not lines:
        return None
    digits = lines[0].lstrip(b"0") or b"0"
    if len(lines) > 1 or not lines[0].isdigit():
        raise BadRequest("Max-Forwards is not a number")
    return int(digits) if len(digits) <= 3 else MOST + 1


def one_less(fields: Fields, left: int) -> list[Field]:
    """The fields for the next hop."""
    lower = LOWER
    value = b"%d" % min(left - 1, MOST)
    return [(name, value if lower[name] == b"max-forwards" else other) for name, other in fields]
