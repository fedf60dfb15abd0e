"""
Upstream keys at rest: AES-256-GCM, C{enc:v1:} and base64 of nonce (12), ciphertext, tag (16).

The form is the reference's. Ours are bound to the row that they stand in (the additional data of
GCM), so that nobody who can write to the database can have one project spend with another's key.
What the reference wrote is not bound to anything and is read all the same.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import ConfigError

PREFIX = "enc:v1:"
KEY_SIZE = 32
_NONCE = 12
_TAG = 16


class Undecipherable(Exception):
    """It was made with another key, for another row, or is damaged."""


class Cipher:
    """
    Seals and opens with one key.

    @param key: 32 bytes.
    @raise ConfigError: the key has another length.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise ConfigError(f"ENCRYPTION_KEY: expected {KEY_SIZE} bytes, got {len(key)}")
        self._key = AESGCM(key)

    def seal(self, plain: str, place: str) -> str:
        """
        Encrypt.

        @param place: where the result will stand; it opens only there.
        """
        nonce = os.urandom(_NONCE)
        return PREFIX + b64encode(nonce + self._key.encrypt(nonce, plain.encode(), place.encode())).decode()

    def open(self, sealed: str, place: str) -> str:
        """
        Decrypt.

        @raise Undecipherable: with nothing of the text in it.
        """
        nonce, ciphertext = _parts(sealed)
        for bound_to in (place.encode(), None):
            try:
                return self._key.decrypt(nonce, ciphertext, bound_to).decode()
            except InvalidTag:
                continue
        raise Undecipherable("decryption failed")


def is_sealed(text: str) -> bool:
    """Whether it claims to be encrypted."""
    return text.startswith(PREFIX)


def _parts(sealed: str) -> tuple[bytes, bytes]:
    try:
        raw = b64decode(sealed[len(PREFIX) :], validate=True)
    except (Base64Error, ValueError):
        raise Undecipherable("invalid ciphertext format") from None
    if not is_sealed(sealed) or len(raw) < _NONCE + _TAG:
        raise Undecipherable("invalid ciphertext format")
    return raw[:_NONCE], raw[_NONCE:]


class KeyRing:
    """
    What the project store encrypts with: a L{Cipher}, or nothing where no key is configured.

    A stored text without the prefix is plain, from the time before a key was configured.
    """

    def __init__(self, cipher: Cipher | None) -> None:
        self._cipher = cipher

    def seal(self, plain: str, place: str) -> str:
        """Nothing stays nothing."""
        return self._cipher.seal(plain, place) if self._cipher is not None and plain else plain

    def open(self, stored: str, place: str) -> str:
        """
        @raise Undecipherable: also where it is encrypted and no key is configured.
        """
        if not is_sealed(stored):
            return stored
        if self._cipher is None:
            raise Undecipherable("no encryption key configured")
        return self._cipher.open(stored, place)
