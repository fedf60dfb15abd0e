"""What an unsafe request makes doubtful: RFC 9111 section 4.4."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from ...message import Api, Fields
from ..fields import LOWER

SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))
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
            named = _relative_to(api, target, value)
            if named is not None and named != target:
                yield named


def _relative_to(api: Api, target: bytes, reference: bytes) -> bytes | None:
    origin = api.origin
    base = f"{origin.scheme}://{origin.netloc.decode('latin-1')}{(api.path_prefix + target).decode('latin-1')}"
    try:
        parts = urlsplit(urljoin(base, reference.decode("latin-1")))
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    if (parts.scheme, (parts.hostname or "").lower(), port) != (origin.scheme, origin.host.lower(), origin.port):
        return None
    path = (parts.path + (f"?{parts.query}" if parts.query else "")).encode("latin-1")
    prefix = api.path_prefix
    return path[len(prefix) :] if path.startswith(prefix + b"/") else None
