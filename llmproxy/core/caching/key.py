"""
Keys of stored answers: RFC 9111 sections 2 and 4.1.

Every part of a key stands behind its length, so that no two different requests can make the same bytes.
The target is taken as it came: C{%2F} is not C{/}, and the order of a query matters, since upstream may
see a difference where a cache does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256

from attrs import define, field

from ...message import ApiRequest, Field, Fields
from .. import fields as sections
from ..credentials import without_keys
from ..notable import KEY_FIELDS
from ..targets import QUERY

SHARED = ""
"""The tenant of what all projects may see; no project has an empty id."""

MOST_NAMES = 16
"""A response whose C{Vary} names more fields is not stored."""

_SORTED = frozenset((b"accept-encoding", b"accept-language", b"accept-charset", b"accept"))
"""Lists whose members are preferences with weights: their order and their case of letters say nothing."""

_REMEMBERED_LENGTH = 256
"""Bytes of a list, or of the values of fields; longer ones are taken apart each time."""

_INDIFFERENT = (
    frozenset(
        (
            b"accept-charset",
            b"baggage",
            b"cache-control",
            b"content-length",
            b"date",
            b"expect",
            b"from",
            b"host",
            b"idempotency-key",
            b"pragma",
            b"referer",
            b"traceparent",
            b"tracestate",
            b"user-agent",
            b"via",
            b"x-request-id",
        )
    )
    | KEY_FIELDS
    | sections.CLIENT_ADDRESS_FIELDS
    | sections.HOP_BY_HOP
)
"""Fields of a request that name the sender, the way or the attempt, and never what is asked for."""

_CLIENT_LIBRARY = b"x-stainless-"
"""How the SDKs of OpenAI and Anthropic tell of themselves: their version, the platform, the number of a retry."""


def _bearing(name: bytes) -> bytes:
    lower = name.lower()
    return b"" if lower in _INDIFFERENT or lower.startswith(_CLIENT_LIBRARY) else lower


_BEARING = sections.Names(_bearing)
"""The name in lower case of a field that may bear on the answer to a POST; empty for all others."""


@define(init=False, unsafe_hash=True)
class Key:
    """
    The primary key. It is never changed; that it could be makes it for half of the time.

    @ivar api: the C{space} of an API: its name, and a fingerprint of where it leads.
    @ivar tenant: the id of a project, or L{SHARED}.
    @ivar method: C{b"GET"} (HEAD included) or C{b"POST"}.
    @ivar target: relative to the API and without a credential, exact bytes otherwise.
    @ivar body: what L{content_digest} makes of a POST.
    @ivar digest: what a store files it under, 32 bytes.
    """

    api: str
    tenant: str
    method: bytes
    target: bytes
    body: bytes
    digest: bytes = field(repr=False, eq=False)

    def __init__(self, api: str, tenant: str, method: bytes, target: bytes, body: bytes = b"") -> None:
        self.api = api
        self.tenant = tenant
        self.method = method
        self.target = target
        self.body = body
        rest = b"%d:%s,%d:%s,%d:%s," % (len(method), method, len(target), target, len(body), body)
        self.digest = sha256(_scope(api, tenant) + rest).digest()

    @property
    def member(self) -> bytes:
        """What it is called among the keys of its API and tenant; begins with the target and a zero byte."""
        return b"%s\0%s%s" % (self.target, self.method, self.body)


def primary_key(request: ApiRequest, tenant: str | None = None, method: bytes = b"GET", body: bytes = b"") -> Key:
    """
    The primary key of a request that C{route} and C{authenticate} have seen.

    @param tenant: the project of the caller where it is C{None}.
    @param body: the L{content_digest} of a POST.
    """
    route = request.route
    api = route.api
    target = request.target
    if QUERY in target:
        target = without_keys(target, api.query_keys)
    return Key(api.space, request.principal.project.id if tenant is None else tenant, method, target, body)


def content_digest(request: ApiRequest, content: bytes) -> bytes:
    """
    What tells one POST from another: the SHA-256 of its content and of the fields that may bear on the answer.

    HTTP defines no cache for POST, so upstream says in no C{Vary} what it looked at: everything counts but what
    is known to say nothing of the answer. Nothing that a client claims about its content is believed.
    """
    found: dict[bytes, bytes] = {}
    bearing = _BEARING
    size = 0
    for name, value in request.fields:
        lower = bearing[name]
        if lower:
            found[lower] = value if lower not in found else found[lower] + b"," + value
            size += len(value)
    for name in request.route.api.key_fields:
        found.pop(name, None)
    fields = (*found.items(),)
    framed = _remembered_fields(fields) if size <= _REMEMBERED_LENGTH else _framed_fields(fields)
    digest = sha256(b"%d:" % len(content))
    digest.update(content)
    digest.update(framed)
    return digest.digest()


def _framed_fields(fields: tuple[Field, ...]) -> bytes:
    parts: list[bytes] = []
    for lower, value in sorted(fields):
        parts += (lower, _normal_value(lower, value))
    return _framed(parts)


_remembered_fields = lru_cache(maxsize=256)(_framed_fields)


def secondary_key(request: ApiRequest, names: Sequence[bytes]) -> bytes:
    """
    The secondary key: tells the variants of one primary key apart by the fields that C{Vary} names.

    A credential is none of them: upstream never sees the caller's, it sees the project's.

    @param names: as L{vary_names} returns them.
    @return: C{b""} if nothing is named, otherwise 16 bytes.
    """
    if not names:
        return b""
    key_fields = request.route.api.key_fields
    owner = request.principal.project.id.encode()
    parts: list[bytes] = []
    for name in names:
        parts.append(name)
        if name in KEY_FIELDS or name in key_fields:
            parts.append(b"=" + owner)
        else:
            parts.append(_normal(name, request.fields))
    return sha256(_framed(parts)).digest()[:16]


def vary_names(fields: Fields) -> tuple[bytes, ...] | None:
    """
    The names in all C{Vary} lines in lower case, sorted; C{None} for C{*}, which no request ever matches.
    """
    lines = sections.values(fields, b"vary")
    if not lines:
        return ()
    names = sections.list_members(fields, b"vary")
    return None if b"*" in names or len(set(names)) > MOST_NAMES else tuple(sorted(set(names)))


@lru_cache(maxsize=1024)
def _scope(api: str, tenant: str) -> bytes:
    return _framed((api.encode(), tenant.encode()))


def _framed(parts: Iterable[bytes]) -> bytes:
    return b"".join([b"%d:%s," % (len(part), part) for part in parts])


def _normal(name: bytes, fields: Fields) -> bytes:
    """
    The value of a field for comparison, RFC 9111 section 4.1: lines joined, white space around members
    gone, and order where it means nothing. A field that is absent equals none that is there.
    """
    lines = sections.values(fields, name)
    return _normal_value(name, b",".join(lines)) if lines else b""


def _normal_value(name: bytes, value: bytes) -> bytes:
    if b"," not in value and name not in _SORTED:
        return b"=" + value.strip(b" \t")
    return _normal_list(name, value) if len(value) > _REMEMBERED_LENGTH else _remembered_list(name, value)


def _normal_list(name: bytes, value: bytes) -> bytes:
    parts = [part.strip(b" \t") for part in sections.split_list(value)]
    if name in _SORTED:
        parts = sorted({part.lower().replace(b" ", b"") for part in parts} - {b""})
    return b"=" + b",".join(parts)


_remembered_list = lru_cache(maxsize=256)(_normal_list)
