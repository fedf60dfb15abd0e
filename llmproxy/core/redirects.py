"""
Fields that point to upstream, made to point back to the proxy: what nginx's C{proxy_redirect default} does.

A client that follows them would leave the proxy, with a token that upstream does not know.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from ..message import Field, Fields
from ..origin import Origin, Upstream
from .fields import LOWER

REFERRING = frozenset({b"content-location", b"location", b"refresh"})
"""RFC 9110 sections 10.2.2 and 8.7; and C{Refresh}, which nginx rewrites too. Vendors have fields of their own."""

_REFERENCE = re.compile(rb"(?:(https?):)?//([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_REFRESH = re.compile(rb"(\s*[0-9.]+\s*[;,]\s*(?:url\s*=\s*)?[\"']?)(.*)", re.IGNORECASE | re.DOTALL)
_PORTS = {b"http": b":80", b"https": b":443"}


def led_back(
    fields: Fields, names: Container[bytes], upstreams: Sequence[Upstream], here: bytes, prefix: bytes
) -> list[Field]:
    """
    The fields, with references below one of C{upstreams} made references to where the client came.

    All else keeps its bytes: other hosts, what lies beside the path prefix of an upstream, relative paths, and what
    follows the part that is replaced.

    @param names: of the fields that hold references, in lower case: L{REFERRING} and others.
    @param upstreams: of one API; a stored answer does not say from which of them it came.
    @param here: scheme and authority by which the client reached the proxy; C{b""} if it did not say.
    @param prefix: the path of the API there, without a slash at its end.
    """
    lower = LOWER
    return [
        (name, _field(lower[name], value, upstreams, here, prefix)) if lower[name] in names else (name, value)
        for name, value in fields
    ]


def _field(name: bytes, value: bytes, upstreams: Sequence[Upstream], here: bytes, prefix: bytes) -> bytes:
    if name != b"refresh":
        return _reference(value, upstreams, here, prefix)
    match = _REFRESH.fullmatch(value)
    return value if match is None else match[1] + _reference(match[2], upstreams, here, prefix)


def _reference(value: bytes, upstreams: Sequence[Upstream], here: bytes, prefix: bytes) -> bytes:
    match = _REFERENCE.fullmatch(value)
    if match is None:
        if value[:1] != b"/":
            return value
        rest = _below_one(value, upstreams)
        return value if rest is None else _path(prefix + rest)
    scheme, authority, path = match.groups()
    rest = _below_one(path, [each for each in upstreams if _same(scheme, authority, each.origin)])
    return value if rest is None else here + _path(prefix + rest)


def _below_one(path: bytes, upstreams: Sequence[Upstream]) -> bytes | None:
    """What follows the path prefix of one of C{upstreams}, of the longest if there are several."""
    found = [rest for each in upstreams if (rest := _below(path, each.path_prefix)) is not None]
    return min(found, key=len, default=None)


def _path(path: bytes) -> bytes:
    """Never with two slashes at its beginning, which would name another host."""
    return b"/" + path.lstrip(b"/") if path[:2] == b"//" else path


def _same(scheme: bytes | None, authority: bytes, origin: Origin) -> bool:
    """
    Whether this is upstream. A server behind one that ends TLS for it takes itself for C{http}: with the ports that
    belong to the schemes it is the same.
    """
    own = origin.scheme.encode("ascii")
    stated = own if scheme is None else scheme.lower()
    return authority.lower().removesuffix(_PORTS[stated]) == origin.netloc.lower() and (
        stated == own or b":" not in origin.netloc.rpartition(b"]")[2]
    )


def _below(path: bytes, path_prefix: bytes) -> bytes | None:
    """What follows C{path_prefix}, with a slash before it; C{None} for what lies elsewhere."""
    if not path.startswith(path_prefix):
        return None
    rest = path[len(path_prefix) :]
    if rest[:1] == b"/":
        return rest
    return b"/" + rest if rest[:1] in (b"", b"?", b"#") else None
