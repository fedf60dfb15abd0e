"""Tokens of the management API, and the admins that they stand for."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from uuid import UUID

from ..message import Admin, Role
from .tokens import token_hash

PREFIX = "llmproxy_admin_"
"""By this a token is recognised where it should not be: in a repository, in a log."""

_LENGTH = len(PREFIX) + 43
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

RESERVED = frozenset({"admin", "anonymous", "management_api", "system"})
"""Names that the audit log has for others."""


def generate(random: Callable[[int], bytes]) -> str:
    """
    A new token: the prefix and 43 characters, all of whose 256 bits are random.

    @param random: gives unpredictable bytes, C{os.urandom}.
    """
    return PREFIX + urlsafe_b64encode(random(32)).rstrip(b"=").decode()


def is_well_formed(token: str) -> bool:
    """Whether it could be one at all; what could not is never looked up."""
    return len(token) == _LENGTH and token.startswith(PREFIX) and _ALPHABET.issuperset(token[len(PREFIX) :])


def hint(token: str) -> str:
    """What a list shows of it: 24 bits of 256."""
    return token[: len(PREFIX) + 4] + "*" * 8


def new_admin(
    name: str, role: Role, random: Callable[[int], bytes], now: float, lifetime: float | None
) -> tuple[Admin, str]:
    """
    An admin, and the token that they show.

    @param random: as in L{generate}.
    @param lifetime: seconds; C{None} is without end.
    """
    secret = generate(random)
    expires_at = None if lifetime is None else now + lifetime
    made_id = str(UUID(bytes=random(16), version=4))
    return Admin(made_id, name, token_hash(secret.encode()), hint(secret), role, now, expires_at), secret


def fault_of(admin: Admin, now: float) -> str:
    """Why they may do nothing now, in a few words; C{""} if they may."""
    if admin.revoked_at is not None:
        return "management token has been revoked"
    if admin.expires_at is not None and admin.expires_at <= now:
        return "management token has expired"
    return ""
