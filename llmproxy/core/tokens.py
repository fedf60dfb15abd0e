"""Withering tokens: how they look, where clients put them, what can be wrong with one."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

from attrs import evolve

from ..errors import ProjectInactive, ProxyError, TokenExpired, TokenInactive
from ..message import Field, Project, Token

PREFIX = b"sk-"
_LENGTH = 25
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

KEY_FIELDS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
"""Where SDKs put their key, besides C{?key=}."""


def generate(random: Callable[[int], bytes]) -> str:
    """
    A new secret: C{sk-} and 22 characters.

    @param random: gives unpredictable bytes, L{os.urandom}. All 128 bits are random: a time in it
        would help to guess the rest.
    """
    return (PREFIX + urlsafe_b64encode(random(16)).rstrip(b"=")).decode()


def is_well_formed(secret: bytes) -> bool:
    """Whether it could be a token at all; what could not is never looked up."""
    return len(secret) == _LENGTH and secret.startswith(PREFIX) and not secret[3:].translate(None, _ALPHABET)


def token_hash(secret: bytes) -> str:
    """What is stored of a secret. It is random, so a plain hash cannot be searched."""
    return sha256(secret).hexdigest()


def hint(secret: str) -> str:
    """What a list shows of it: enough to recognise it, too little (24 bits of 128) to help in guessing."""
    return f"{secret[:7]}{'*' * 18}"


def fault_of(token: Token, project: Project, now: float) -> ProxyError | None:
    """Why a token cannot be used now, in the reference's order; C{None} if it can."""
    if not token.is_active:
        return TokenInactive()
    if token.expires_at is not None and token.expires_at <= now:
        return TokenExpired()
    if not project.is_active:
        return ProjectInactive()
    return None


def as_held(token: Token, token_hash: str) -> Token | None:
    """
    A token as it is for whoever holds the secret with this hash; C{None} if that is none of its secrets (any more).

    A secret that was rotated away is one that expires when the overlap ends.
    """
    if token_hash == token.token_hash:
        return token
    if token_hash != token.previous_hash:
        return None
    until = token.previous_until
    if until is None or (token.expires_at is not None and token.expires_at < until):
        until = token.expires_at
    return evolve(token, token_hash=token_hash, expires_at=until, previous_hash=None, previous_until=None)


def secret_of(fields: list[Field], target: bytes) -> bytes:
    """
    The secret that a client sent, C{b""} if none.

    The fields of SDKs' keys come before C{?key=}, and C{Authorization} before the others: it is
    where a program that was not changed for one vendor puts it.
    """
    other = b""
    for name, value in fields:
        size = len(name)
        if size == 13:
            if name.lower() == b"authorization" and value[:7].lower() == b"bearer ":
                secret = value[7:].strip(b" \t")
                if secret:
                    return secret
        elif (size == 9 or size == 7 or size == 14) and not other and name.lower() in KEY_FIELDS:
            other = value
    return other or _query_key(target)


def _query_key(target: bytes) -> bytes:
    _, mark, query = target.partition(b"?")
    if mark:
        for pair in query.split(b"&"):
            if pair.startswith(b"key="):
                return pair[4:]
    return b""
