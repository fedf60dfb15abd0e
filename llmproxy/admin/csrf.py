"""
Protection of forms: a page of another site cannot have a browser send one.

Each form holds a token that only who has the session's secret can make (a HMAC of a random number), and each is
accepted only from a page of this origin. A token is another one in every answer, so that compression tells nothing of
it (BREACH).
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from urllib.parse import urlsplit

_NONCE = 16
_PORTS = {"http": 80, "https": 443}


def token_for(secret: str, nonce: bytes) -> str:
    """
    What a form holds.

    @param secret: of the session, or of the visitor who signs in.
    @param nonce: 16 unpredictable bytes.
    """
    return nonce.hex() + _made(secret, nonce)


def is_token(secret: str, token: str) -> bool:
    """Whether a form holds what it was given; compared in constant time."""
    if not secret or len(token) != 2 * _NONCE + 64 or not token.isascii():
        return False
    try:
        nonce = bytes.fromhex(token[: 2 * _NONCE])
    except ValueError:
        return False
    return hmac.compare_digest(token[2 * _NONCE :], _made(secret, nonce))


def _made(secret: str, nonce: bytes) -> str:
    return hmac.new(secret.encode(), b"form\0" + nonce, sha256).hexdigest()


def is_from_here(origin: str, fetch_site: str, scheme: str, host: str) -> bool:
    """
    Whether a form comes from a page of ours.

    @param origin: C{Origin} of the request, C{""} if there is none.
    @param fetch_site: C{Sec-Fetch-Site}, likewise: what a browser says that sends no C{Origin}.
    @param scheme: of the request, as far as it is known: behind a proxy that is not trusted, what came by TLS looks
        as if it had not, and a page of the same host over TLS is no worse.
    @param host: C{Host}.
    """
    if not origin:
        return fetch_site == "same-origin"
    said = _place(origin)
    if said is None or said[0] not in ((scheme, "https") if scheme == "http" else (scheme,)):
        return False
    mine = _place(f"{said[0]}://{host}")
    return mine is not None and said == mine


def _place(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path or parts.query or parts.username is not None:
        return None
    return parts.scheme, parts.hostname.lower(), _PORTS[parts.scheme] if port is None else port
