"""Directives of a request to a cache, found in one pass over its fields, and what it is eligible for by them."""

from __future__ import annotations

from functools import lru_cache

from attrs import field, frozen

from ...apisettings import CacheSettings
from ...message import Fields
from ..fields import Names
from ..notable import Section
from .control import NOTHING, CacheControl, parse

_CONDITIONS = frozenset((b"if-match", b"if-unmodified-since"))
_OVERRIDES = frozenset(
    (b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url")
)
_READ = (
    frozenset((b"cache-control", b"pragma", b"range", b"if-range", b"if-none-match", b"if-modified-since"))
    | _CONDITIONS
    | _OVERRIDES
)
_READ_BY = Names(lambda name: name.lower() if name.lower() in _READ else b"")
_REMEMBERED_LENGTH = 256
"""Bytes of C{Cache-Control}; what a longer one asks is found out each time."""


@frozen
class RequestDirectives:
    """
    @ivar control: C{Cache-Control}, or what C{Pragma: no-cache} means where there is none (RFC 9111 section 5.4).
    @ivar if_none_match: all lines joined.
    @ivar for_origin_only: a condition that only an origin server evaluates (RFC 9110 section 13.2.1).
    @ivar overridden: a field that some servers take the method or the target from; such a request is never
        answered from the cache nor stored, since its key would not tell it apart.
    @ivar is_for_origin: only upstream can answer, RFC 9110 section 13.2.1, and what it answers is of no use to others.
    @ivar conditional: the client has something already.
    @ivar may_lead: others may wait for what the request brings.
    @ivar may_wait: it may be answered with what another one, which is on its way already, brings. Not one that wants it
        fresh from upstream, nor one whose answer would be its own.
    """

    control: CacheControl = NOTHING
    range: bytes | None = None
    if_range: bytes | None = None
    if_none_match: bytes | None = None
    if_modified_since: bytes | None = None
    for_origin_only: bool = False
    overridden: bool = False
    # What follows from these is found once: most requests share the directives of those before.
    is_for_origin: bool = field(init=False, eq=False)
    conditional: bool = field(init=False, eq=False)
    may_lead: bool = field(init=False, eq=False)
    may_wait: bool = field(init=False, eq=False)

    @is_for_origin.default
    def _is_for_origin(self) -> bool:
        return self.overridden or self.for_origin_only

    @conditional.default
    def _conditional(self) -> bool:
        return self.if_none_match is not None or self.if_modified_since is not None

    @may_lead.default
    def _may_lead(self) -> bool:
        return not (self.control.no_store or self.conditional or self.range is not None)

    @may_wait.default
    def _may_wait(self) -> bool:
        return self.may_lead and not self.control.no_cache


PLAIN = RequestDirectives()
"""Most requests."""


_ASKED = "asked of caches"


def asked_by(fields: Fields) -> RequestDirectives:
    """What the section asks; L{PLAIN} if nothing of it concerns caches."""
    known = fields.known if type(fields) is Section else None
    asked: RequestDirectives | None = None if known is None else known.facts.get(_ASKED)
    if asked is not None:
        return asked
    found: dict[bytes, list[bytes]] = {}
    read = _READ_BY
    for name, value in fields:
        lower = read[name]
        if lower:
            found.setdefault(lower, []).append(value)
    asked = _made_of(found) if found else PLAIN
    if known is not None:
        known.remember(_ASKED, asked, 1024)
    return asked


def opted_in(asked: RequestDirectives, settings: CacheSettings) -> float | None:
    """
    The lifetime that the client of a POST asks for, in seconds, bounded by the operator.

    HTTP does not define a cache for POST: only C{public} with an age above 0 asks for ours. A condition or a range
    means something else with this method.
    """
    control = asked.control
    wanted = control.s_maxage or control.max_age
    if not control.public or not wanted or control.no_store or control.private or control.conflicting:
        return None
    if asked.is_for_origin or asked.conditional or asked.range is not None:
        return None
    return min(float(wanted), settings.post_max_age) or None


def _made_of(found: dict[bytes, list[bytes]]) -> RequestDirectives:
    if len(found) == 1 and b"cache-control" in found:
        lines = found[b"cache-control"]
        short = len(lines) == 1 and len(lines[0]) <= _REMEMBERED_LENGTH
        return _remembered(lines[0]) if short else RequestDirectives(_control(found))
    tags = found.get(b"if-none-match")
    return RequestDirectives(
        _control(found),
        _only(found, b"range"),
        _only(found, b"if-range"),
        b", ".join(tags) if tags is not None else None,
        _only(found, b"if-modified-since"),
        for_origin_only=not _CONDITIONS.isdisjoint(found),
        overridden=not _OVERRIDES.isdisjoint(found),
    )


@lru_cache(maxsize=256)
def _remembered(line: bytes) -> RequestDirectives:
    return RequestDirectives(parse((line,)))


def _control(found: dict[bytes, list[bytes]]) -> CacheControl:
    lines = found.get(b"cache-control")
    if lines is not None:
        return parse(lines)
    pragma = found.get(b"pragma")
    return CacheControl(no_cache=True) if pragma and parse(pragma).no_cache else NOTHING


def _only(found: dict[bytes, list[bytes]], name: bytes) -> bytes | None:
    lines = found.get(name)
    return b", ".join(lines) if lines else None
