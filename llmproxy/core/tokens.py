"""Withering tokens: how they look, where clients put them, what can be wrong with one."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import evolve

from ..errors import AmbiguousCredentials, ProjectInactive, ProxyError, TokenExpired, TokenInactive
from ..message import Fields, Project, Token
from .fields import LOWER
from .notable import KEY_FIELDS, OFFER, TOKEN_FIELD, notable_of
from .subprotocols import offered_secrets
from .targets import QUERY

PREFIX = b"sk-"
_LENGTH = 25

LONGEST_JWT = 16 * 1024
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

QUERY_KEY = b"key"

JWT: Final = "jwt"
"""
The kind of the token behind the access tokens that an identity provider gives a person: it has no secret, and is held
by who shows one of those.
"""

DEVICE: Final = "device"
"""The kind of the tokens that a person gets by the device flow."""


def generate(random: Callable[[int], bytes]) -> str:
    """
    A new secret: C{sk-} and 22 characters.

    @param random: gives unpredictable bytes, C{os.urandom}. All 128 bits are random: a time in it
        would help to guess the rest.
    """
    return (PREFIX + urlsafe_b64encode(random(16)).rstrip(b"=")).decode()


def is_well_formed(secret: bytes) -> bool:
    """Whether it could be a token at all; what could not is never looked up."""
    return len(secret) == _LENGTH and secret.startswith(PREFIX) and not secret[3:].translate(None, _ALPHABET)


def is_jwt(secret: bytes) -> bool:
    """Whether it looks like a signed JWT: a JSON object in base64url, and two more parts."""
    return secret.startswith(b"eyJ") and secret.count(b".") == 2 and len(secret) <= LONGEST_JWT


def may_be_token(secret: bytes) -> bool:
    """As L{is_well_formed}, where access tokens of an identity provider are taken too."""
    return is_well_formed(secret) or is_jwt(secret)


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
    A token as it is for the holder of the secret with this hash; C{None} if that is none of its secrets (any more).

    A secret that was rotated away is one that expires when the overlap ends. That of a person's access tokens has none
    of its own: it is held by who shows one of those, which are verified elsewhere.
    """
    if token_hash == token.token_hash:
        return token
    if token.kind == JWT:
        return evolve(token, token_hash=token_hash)
    if token_hash != token.previous_hash:
        return None
    until = token.previous_until
    if until is None or (token.expires_at is not None and token.expires_at < until):
        until = token.expires_at
    return evolve(token, token_hash=token_hash, expires_at=until, previous_hash=None, previous_until=None)


def as_changed(token: Token, held: Token) -> Token:
    """
    A token that has changed, as it is for the holder of a secret of it: inactive, if it is none any more.

    @param held: what it was for them: an access token of a provider expires when that says.
    """
    if token.kind == JWT:
        return evolve(token, token_hash=held.token_hash, expires_at=held.expires_at)
    return as_held(token, held.token_hash) or evolve(held, is_active=False)


def secret_of(
    fields: Fields,
    target: bytes,
    *,
    offers: bool = False,
    key_fields: frozenset[bytes] = KEY_FIELDS,
    query_keys: frozenset[bytes] = frozenset(),
) -> bytes:
    """
    The secret that a client sent, C{b""} if none.

    Programs that were made for one provider send a key of that provider beside ours (C{x-api-key} and a bearer, say):
    the place that holds what could be a token of ours decides, whichever it is; where none does, C{X-LLMProxy-Token}.

    @param offers: whether the subprotocols that are offered are a place too.
    @param key_fields: where the API that is asked wants its key, in lower case: programs made for it send theirs there.
    @param query_keys: likewise, the parameters of a query.
    @raise AmbiguousCredentials: there are two different ones that could be tokens of ours.
    """
    first, others, stated = b"", [], False
    for name, (_, value) in notable_of(fields).credentials:
        if name == OFFER:
            continue
        if name == b"authorization":
            scheme = value[:7]
            value = value[7:].strip(b" \t") if scheme == b"Bearer " or scheme.lower() == b"bearer " else b""
        if name == TOKEN_FIELD and value:
            others.append(first)
            first, stated = value, True
        elif not first:
            first = value
        elif value != first:
            others.append(value)
    if not key_fields <= KEY_FIELDS:
        others += _in_fields(fields, key_fields - KEY_FIELDS)
    if QUERY in target:
        others += _in_query(target, query_keys)
    if offers:
        others += offered_secrets(fields)
    return _ours(first, others, stated) if others else first


def _ours(first: bytes, others: list[bytes], stated: bool) -> bytes:
    """@param stated: C{first} stands in C{X-LLMProxy-Token}: a JWT elsewhere is the caller's own, for upstream."""
    ours = {secret for secret in (first, *others) if is_well_formed(secret)}
    if len(ours) > 1:
        raise AmbiguousCredentials("send one of them, in one place")
    if ours:
        return ours.pop()
    return first if stated or is_jwt(first) else next(filter(is_jwt, others), first or others[0])


def _in_fields(fields: Fields, names: frozenset[bytes]) -> list[bytes]:
    """What stands there, behind a scheme if there is one."""
    found = [value.rpartition(b" ")[2] for name, value in fields if LOWER[name] in names]
    return [value for value in found if value]


def _in_query(target: bytes, names: frozenset[bytes]) -> list[bytes]:
    pairs = [pair.partition(b"=") for pair in target.partition(b"?")[2].split(b"&")]
    named = [(decoded(name), value) for name, _, value in pairs]
    found = [decoded(value) for name, value in named if name == QUERY_KEY or name.lower() in names]
    return [value for value in found if value]


def decoded(text: bytes) -> bytes:
    """A name or value of a query as upstream will read it: C{%6Bey} is C{key} too, RFC 3986 section 6.2.2.2."""
    return unquote_to_bytes(text) if b"%" in text else text
