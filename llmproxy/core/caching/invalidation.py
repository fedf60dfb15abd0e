"""Invalidation by unsafe requests: RFC 9111 section 4.4."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from ...message import Api, Fields
from ...origin import Upstream
from ..fields import LOWER
from ..methods import SAFE

_NAMING = frozenset((b"location", b"content-location"))


def invalidates(method: bytes, status: int) -> bool:
    """Whether an answer of this status to this method means that something has changed."""
    return method not in SAFE and 200 <= status < 400


def named_targets(api: Api, target: bytes, fields: Fields) -> Iterator[bytes]:
    """
    The targets relative to the API that C{Location} and C{Content-Location} name, of the same origin only:
    nobody can empty another one's cache.
    """
    lower = LOWER
    for name, value in fields:
        if lower[name] in _NAMING:
            found = dict.fromkeys(_relative_to(upstream, target, value) for upstream in api.upstreams)
            yield from (named for named in found if named is not None and named != target)


def _relative_to(upstream: Upstream, target: bytes, reference: bytes) -> bytes | None:
    origin = upstream.origin
    base = upstream.url + target.decode("latin-1")
    try:
        parts = urlsplit(urljoin(base, reference.decode("latin-1")))
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    if (parts.scheme, (parts.hostname or "").lower(), port) != (origin.scheme, origin.host.lower(), origin.port):
        return None
    path = (parts.path + (f"?{parts.query}" if parts.query else "")).encode("latin-1")
    prefix = upstream.path_prefix
    return path[len(prefix) :] if path.startswith(prefix + b"/") else None
