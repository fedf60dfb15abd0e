"""Sessions of the admin pages: their secrets, how long they are good, and what ties them to who signed in."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from uuid import UUID

from ..message import Admin, Role, Session
from .admintokens import fault_of

PREFIX = "llmproxy_session_"
"""By this a secret is recognised where it should not be, and is distinguished from an admin's token."""

_LENGTH = len(PREFIX) + 43
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

IDLE, LONGEST = 2 * 3600.0, 12 * 3600.0
"""Seconds without a request, and in all: a working day."""

KEPT_IDLE, KEPT_LONGEST = 7 * 86_400.0, 30 * 86_400.0
"""The same for those who want to stay signed in; the reference has 30 days."""

MAX_AGENT = 200
"""Characters of a browser's own name that are kept."""

MANAGEMENT_TOKEN = "management_token"  # noqa: S105
"""Stands for the holder of the management token where others have the id of an admin."""


def generate(random: Callable[[int], bytes]) -> str:
    """
    A new secret: the prefix and 43 characters, all of whose 256 bits are random.

    @param random: gives unpredictable bytes, C{os.urandom}.
    """
    return PREFIX + urlsafe_b64encode(random(32)).rstrip(b"=").decode()


def is_well_formed(secret: str) -> bool:
    """Whether it could be one at all; what could not is never looked up."""
    return len(secret) == _LENGTH and secret.startswith(PREFIX) and _ALPHABET.issuperset(secret[len(PREFIX) :])


def secret_hash(secret: str) -> str:
    """What is stored of a secret: SHA-256, in hexadecimal."""
    return sha256(secret.encode()).hexdigest()


def binding_of(secret: str, management_digest: bytes) -> str:
    """
    What ties a session of the management token's holder to that token: another token ends it.

    It is made with the session's secret, so that nobody can try tokens on what the database holds.

    @param management_digest: SHA-256 of the management token.
    """
    return hmac.new(secret.encode(), b"management token\0" + management_digest, sha256).hexdigest()


def new_session(
    random: Callable[[int], bytes],
    now: float,
    *,
    kept: bool,
    admin: Admin | None = None,
    management_digest: bytes = b"",
    client: str = "",
    agent: str = "",
) -> tuple[Session, str]:
    """
    A session, and the secret that its browser shows.

    @param random: as in L{generate}.
    @param kept: whether it should outlive the browser.
    @param admin: who signs in; C{None} for the holder of the management token.
    """
    secret = generate(random)
    until = now + (KEPT_LONGEST if kept else LONGEST)
    if admin is not None and admin.expires_at is not None:
        until = min(until, admin.expires_at)
    session = Session(
        str(UUID(bytes=random(16), version=4)),
        secret_hash(secret),
        MANAGEMENT_TOKEN if admin is None else admin.id,
        binding_of(secret, management_digest) if admin is None else "",
        kept,
        now,
        now,
        until,
        client[:64],
        _printable(agent)[:MAX_AGENT],
    )
    return session, secret


def ends_at(session: Session) -> float:
    """When it ends if nothing more is asked with it."""
    return min(session.expires_at, session.seen_at + (KEPT_IDLE if session.kept else IDLE))


def is_over(session: Session, admin: Admin | None, now: float) -> bool:
    """
    Whether nothing can be done with it any more.

    @param admin: who signed in; C{None} where it was the holder of the management token, or where they are gone.
    """
    if now >= ends_at(session):
        return True
    if session.admin_id == MANAGEMENT_TOKEN:
        return False
    return admin is None or fault_of(admin, now) != ""


def is_bound(session: Session, secret: str, management_digest: bytes) -> bool:
    """Whether a session of the management token's holder is one of the present token; compared in constant time."""
    return hmac.compare_digest(session.binding, binding_of(secret, management_digest))


def role_of(admin: Admin | None) -> Role:
    """The role of who signed in."""
    return "owner" if admin is None else admin.role


def actor_of(provider: str, email: str, subject: str) -> str:
    """
    What the audit log calls somebody who signed in by an identity provider. No name that they can choose: an address
    that the provider vouches for, or what it knows them by. No admin with a token has a colon in their name.
    """
    return f"{provider}:{email or subject}"[:191]


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
