"""Storage of responses: whether one is stored, and for how long it is fresh, RFC 9111 section 3."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from ...apisettings import CacheSettings
from ...message import Fields
from ..fields import MEDIA_TYPES
from .conditional import can_validate
from .control import CacheControl, parse
from .entry import Entry, Used, storable_fields, updated_fields
from .freshness import HEURISTICALLY_CACHEABLE, Said, explicit_lifetime, initial_age, said_by, supposed_lifetime
from .key import vary_names
from .targeted import FIELD, parse_targeted

UNDERSTOOD = frozenset((200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 451, 501))
"""
Final statuses whose answers are the same for the next caller.

Of others (400, 429, 5xx and those that are not known) what is said is about one request, unless upstream says in so
many words for how long it holds.
"""

_PARTS = frozenset((206, 304))
"""Never stored: a part (section 3.3 lets a cache not combine), and what only tells of a stored response."""

STREAM = b"text/event-stream"
"""The media type of a stream of events."""

_BALANCERS_COOKIES = (b"__cf_bm=", b"_cfuvid=", b"__cflb=")
"""Cookies of Cloudflare's, which stands in front of several providers: they name a connection and not an answer."""

_ASKED_FOR = CacheControl(must_revalidate=True)
"""How an opt-in answer is reused: for the time that the client gave, and never stale; it cannot be validated."""


@frozen
class Request:
    """
    What of a request decides about storing.

    @ivar lifetime: what a client asks for with an opt-in POST, in seconds, bounded by configuration;
        C{None} for GET.
    """

    control: CacheControl
    lifetime: float | None = None


@frozen
class Stored:
    """
    A response that is to be stored: its head, and the names that C{Vary} lists.

    @ivar stream: whether it is an event stream.
    @ivar seconds: its L{retention} from the moment on when its head came.
    """

    entry: Entry
    names: tuple[bytes, ...]
    stream: bool = False
    seconds: float = 0.0


def control_of(said: Said) -> tuple[CacheControl, bool]:
    """
    The directives that count for us, and whether they are of C{CDN-Cache-Control}, which goes before
    C{Cache-Control} and C{Expires} (RFC 9213 section 2.2).
    """
    targeted = parse_targeted(said[FIELD]) if FIELD in said else None
    if targeted is not None:
        return targeted, True
    return parse(said.get(b"cache-control", ())), False


def to_store(
    request: Request,
    status: int,
    reason: bytes,
    fields: Fields,
    request_time: float,
    response_time: float,
    settings: CacheSettings,
) -> Stored | None:
    """What to store of a response to a request whose method is cacheable; C{None} if it must or need not be."""
    said = said_by(fields)
    control, targeted = control_of(said) if FIELD in said else (parse(said.get(b"cache-control", ())), False)
    names = vary_names(fields) if b"vary" in said else ()
    if names is None or not _may_store(request, status, control, settings):
        return None
    excluded = control.private_fields | control.no_cache_fields
    if b"set-cookie" in said and b"set-cookie" not in excluded and _sets_cookies(said[b"set-cookie"]):
        return None
    stream = b"content-type" in said and MEDIA_TYPES[said[b"content-type"][0]] == STREAM
    if stream and not (settings.streams and _shows_its_end(said)):
        return None
    lifetime = explicit_lifetime(control, said, response_time, targeted=targeted)
    if request.lifetime is not None:
        if status != 200:
            return None
        control = evolve(_ASKED_FOR, private_fields=excluded)
        lifetime = min(request.lifetime, lifetime) if lifetime else request.lifetime
    elif lifetime is None and status in UNDERSTOOD:
        lifetime = supposed_lifetime(status, control, said, response_time, settings)
        if lifetime is None and _may_lack_lifetime(status, control, said):
            lifetime = 0.0
    if lifetime is None or (lifetime <= 0 and status not in UNDERSTOOD):
        return None
    age = initial_age(said, request_time, response_time)
    entry = make_entry(status, reason, fields, control, lifetime, age, response_time)
    seconds = retention(entry, response_time, settings)
    return Stored(entry, names, stream, seconds) if seconds > 0 else None


def make_entry(
    status: int,
    reason: bytes,
    fields: Fields,
    control: CacheControl,
    lifetime: float,
    age: float,
    response_time: float,
    size: int = 0,
    used: Used | None = None,
) -> Entry:
    """
    @param fields: as they came; what must not be kept is left out here.
    @param used: what it had used when its content came.
    """
    return Entry(
        status,
        reason,
        storable_fields(fields, control.private_fields | control.no_cache_fields, response_time),
        response_time,
        age,
        lifetime,
        control.no_cache,
        control.must_revalidate or control.proxy_revalidate or control.s_maxage is not None,
        float(control.stale_while_revalidate or 0),
        float(control.stale_if_error or 0),
        size,
        used,
    )


def freshened(
    entry: Entry, fields: Fields, request_time: float, response_time: float, settings: CacheSettings
) -> Entry | None:
    """
    A stored response after validation, RFC 9111 sections 3.2 and 4.3.4.

    @param fields: of the 304, or of an answer to HEAD.
    @return: C{None} if it must not be kept any longer.
    """
    update = storable_fields(fields, frozenset(), response_time)
    merged = updated_fields(entry.fields, update)
    said = said_by(merged)
    control, targeted = control_of(said)
    if control.no_store or control.private or control.malformed or vary_names(merged) is None:
        return None
    if not _permitted(control, settings):
        return None
    lifetime = explicit_lifetime(control, said, response_time, targeted=targeted)
    if lifetime is None:
        lifetime = supposed_lifetime(entry.status, control, said, response_time, settings) or 0.0
    age = initial_age(said_by(fields), request_time, response_time)
    return make_entry(entry.status, entry.reason, merged, control, lifetime, age, response_time, entry.size, entry.used)


def retention(entry: Entry, now: float, settings: CacheSettings) -> float:
    """For how many seconds from C{now} the entry can be of any use."""
    fresh = max(0.0, entry.fresh_for(now)) if not entry.always_validate else 0.0
    servable = not (entry.never_stale or entry.always_validate)
    stale = max(entry.while_revalidate, entry.if_error) if servable else 0.0
    # A client may take it stale, or upstream may say that it is still good.
    if (servable and fresh > 0) or can_validate(entry):
        stale = max(stale, settings.keep_stale)
    return fresh + stale


def is_complete_stream(tail: bytes, last_events: Sequence[bytes] = ()) -> bool:
    """
    Whether an event stream that ended without a fault of its transport says that it is whole.

    @param tail: its last bytes, some thousands. It must end behind an event, and not with an error.
    @param last_events: where the API has a last event, one of these stands in it.
    """
    if not tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
        return False
    last = tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n").rpartition(b"\n\n")[2]
    if b"event: error" in last or b'data: {"error"' in last or b'"type":"error"' in last:
        return False
    return not last_events or any(marker in last for marker in last_events)


def _may_store(request: Request, status: int, control: CacheControl, settings: CacheSettings) -> bool:
    if status < 200 or status in _PARTS or request.control.no_store or control.malformed or control.private:
        return False
    # Section 3: who does not understand the status must not store what asks for that.
    if control.must_understand and status not in UNDERSTOOD:
        return False
    # Section 5.2.2.3: who understands the status of a must-understand response need not heed its no-store.
    if control.no_store and not control.must_understand:
        return False
    return request.lifetime is not None or _permitted(control, settings)


def _permitted(control: CacheControl, settings: CacheSettings) -> bool:
    """
    RFC 9111 section 3.5: an answer to a request with credentials is stored only with permission.

    Every request that gets here carried credentials, in whatever field or parameter.
    """
    shareable = control.public or control.s_maxage is not None
    return shareable if settings.scope == "shared" else shareable or control.must_revalidate


def _may_lack_lifetime(status: int, control: CacheControl, said: Said) -> bool:
    """Section 3: public, or of a heuristically cacheable status: it can be stored, to be validated each time."""
    return (control.public or status in HEURISTICALLY_CACHEABLE) and (b"etag" in said or b"last-modified" in said)


def _sets_cookies(lines: Sequence[bytes]) -> bool:
    return any(not value.startswith(_BALANCERS_COOKIES) for value in lines)


def _shows_its_end(said: Said) -> bool:
    """Whether an end of a stream that is missing would be seen: not with a content coding."""
    return said.get(b"content-encoding", (b"identity",))[0] == b"identity"
