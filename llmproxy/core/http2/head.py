"""
HTTP/2 request heads, as strict as those of HTTP/1.1: RFC 9113 sections 8.2 and 8.3; no I/O.

h2 refuses much of this too, and more from version to version. What goes to upstream as HTTP/1.1 is looked at here.
"""

from __future__ import annotations

from ...message import Field, Fields
from ..http11 import (
    CHUNKED,
    TOKEN,
    VISIBLE,
    Head,
    check_host,
    expect,
    fields_too_large,
    malformed,
    no_tunnels,
    target_too_long,
)

_OF_CONNECTIONS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
_NOT_IN_TRAILERS = _OF_CONNECTIONS | {b"host", b"expect", b"content-length", b"te"}
_WITH_CONTENT = frozenset({b"POST", b"PUT", b"PATCH"})
_PER_FIELD = 4
"""What a field takes in HTTP/1.1 beside its name and value."""


def read_head(section: Fields, ended: bool, target_limit: int, head_limit: int, fields_limit: int) -> Head:
    """
    A head as HTTP/1.1 would have it: with C{Host}, and one C{Cookie}.

    @param section: in wire order, with pseudo-fields.
    @param ended: nothing follows.
    @raise Refusal: with the answer for the client.
    """
    head = Head()
    head.version = b"HTTP/2"
    pseudo = {bytes(name): bytes(value) for name, value in section if name[:1] == b":"}
    authority = pseudo.get(b":authority")
    if authority is not None and any(name == b"host" and value != authority for name, value in section):
        raise malformed("Host differs from :authority")
    head.fields = _regular(section, authority)
    if len(head.fields) > fields_limit:
        raise fields_too_large("too many header fields")
    head.method, head.target = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if not head.method or head.method.translate(None, TOKEN):
        raise malformed("method")
    if head.method == b"CONNECT":
        raise no_tunnels()
    if len(head.target) > target_limit:
        raise target_too_long()
    if sum(len(name) + len(value) + _PER_FIELD for name, value in head.fields) > head_limit:
        raise fields_too_large()
    _check_target(head)
    _decide(head, ended)
    return head


def read_trailers(section: Fields) -> list[Field]:
    """
    @raise Refusal: also for fields that must not stand in trailers, RFC 9110 section 6.5.1.
    """
    fields = _regular(section, None)
    if any(name in _NOT_IN_TRAILERS for name, _ in fields):
        raise malformed("trailer field that decides about framing or routing")
    return fields


def _regular(section: Fields, authority: bytes | None) -> list[Field]:
    fields: list[Field] = [] if authority is None else [(b"Host", authority)]
    crumbs = [bytes(value) for name, value in section if name == b"cookie"]
    for name, value in section:
        if name[:1] == b":" or (name == b"host" and authority is not None):
            continue
        if not name or name.translate(None, TOKEN) or name != name.lower():
            raise malformed("field name")
        if len(value) != len(value.translate(None, b"\r\n\0")):
            raise malformed("field value")
        if name != b"cookie":
            fields.append((bytes(name), bytes(value)))
        elif crumbs:
            # RFC 9113 section 8.2.3: one field for those who do not know them in pieces.
            fields.append((b"cookie", b"; ".join(crumbs)))
            crumbs = []
    return fields


def _check_target(head: Head) -> None:
    target = head.target
    if target == b"*" and head.method == b"OPTIONS":
        return
    if target[:1] != b"/" or target.translate(None, VISIBLE):
        raise malformed("request target")


def _decide(head: Head, ended: bool) -> None:
    host = length = None
    for name, value in head.fields:
        if name in _OF_CONNECTIONS:
            raise malformed("field of a connection")
        if name == b"Host" or name == b"host":
            if host is not None:
                raise malformed("repeated Host")
            host = value
        elif name == b"content-length":
            if not value.isdigit() or length not in (None, value):
                raise malformed("Content-Length")
            length = value
        elif name == b"expect":
            expect(head, value)
    check_host(host, b"HTTP/1.1")
    head.expects = head.expects and not ended
    if not ended:
        head.length = CHUNKED if length is None else int(length)
    elif length is None and head.method in _WITH_CONTENT:
        # RFC 9110 section 8.6: in HTTP/1.1 it says so; some servers answer 411 otherwise.
        head.fields.append((b"content-length", b"0"))
