"""Codes of the device flow (RFC 8628): what a program holds, what a person types, and refresh tokens."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest

from attrs import field, frozen

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Twenty letters without vowels, and without what looks like a digit: no code is a word (RFC 8628 section 6.1)."""

USER_CODE = 8
"""Letters: 34 bits, which with limits by address nobody guesses while a code is good."""

SECRET_BYTES = 32

_REFRESH = "llmr_"
_SELECTOR_BYTES = 16
_SELECTOR, _SECRET = 22, 43

Random = Callable[[int], bytes]


def device_code(random: Random) -> str:
    """What a program asks with, 256 bits."""
    return _text(random(SECRET_BYTES))


def user_code(random: Random) -> str:
    """What a person reads and types, C{WDJB-MJHT}."""
    letters: list[str] = []
    while len(letters) < USER_CODE:
        # Of what would make some letters likelier than others nothing is taken.
        letters += [ALPHABET[each % 20] for each in random(USER_CODE) if each < 240]
    return f"{''.join(letters[:4])}-{''.join(letters[4:USER_CODE])}"


def typed(text: str) -> str:
    """A user code as it was made, of how people type it; C{""} if it is none."""
    letters = "".join(each for each in text[:64].upper() if each.isalnum())
    if len(letters) != USER_CODE or any(each not in ALPHABET for each in letters):
        return ""
    return f"{letters[:4]}-{letters[4:]}"


def hashed(secret: str) -> str:
    """What is stored of a code: it has entropy enough, or is short-lived and limited, so that one round is right."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


@frozen
class RefreshToken:
    """
    A refresh token: what finds its device, which stays, and the secret, which is another one each time.

    Who shows a secret that the device does not have (any more) shows one that was used before.
    """

    selector: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        return f"{_REFRESH}{self.selector}.{self.secret}"

    @property
    def selector_hash(self) -> str:
        return hashed(self.selector)

    @property
    def secret_hash(self) -> str:
        return hashed(self.secret)

    def renewed(self, random: Random) -> RefreshToken:
        """The next one of the same device."""
        return RefreshToken(self.selector, _text(random(SECRET_BYTES)))


def refresh_token(random: Random) -> RefreshToken:
    """The first one of a device."""
    return RefreshToken(_text(random(_SELECTOR_BYTES)), _text(random(SECRET_BYTES)))


def read_refresh_token(text: str) -> RefreshToken | None:
    """C{None} for what is none."""
    selector, dot, secret = text.removeprefix(_REFRESH).partition(".")
    if not text.startswith(_REFRESH) or not dot or not text.isascii():
        return None
    return RefreshToken(selector, secret) if (len(selector), len(secret)) == (_SELECTOR, _SECRET) else None


def is_same(one: str, other: str) -> bool:
    """Whether two hashes are the same, in constant time."""
    return compare_digest(one, other)


def _text(random: bytes) -> str:
    return urlsafe_b64encode(random).rstrip(b"=").decode()
