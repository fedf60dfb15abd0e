"""Upstream keys at rest: AES-256-GCM, in the reference's form C{enc:v1:} and base64."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode

from ..errors import ConfigError

PREFIX = "enc:v1:"
_NONCE = 12


def parse_key(text: str) -> bytes:
    """
    The 32 bytes of an C{ENCRYPTION_KEY}.

    @raise ConfigError: it is not base64 of 32 bytes.
    """
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        raise ConfigError("ENCRYPTION_KEY: expected base64; make one with: openssl rand -base64 32") from None
    if len(key) != 32:
        raise ConfigError(f"ENCRYPTION_KEY: expected base64 of exactly 32 bytes, got {len(key)}")
    return key


class WrongKey(Exception):
    """What was read is not encrypted with this key, or was changed."""


class Cipher:
    """
    @param key: 32 bytes; C{None} stores in clear and cannot read what is encrypted.
    """

    def __init__(self, key: bytes | None) -> None:
        self._aead = None
        if key is not None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._aead = AESGCM(key)

    @property
    def encrypts(self) -> bool:
        return self._aead is not None

    def encrypt(self, text: str) -> str:
        if self._aead is None or not text:
            return text
        nonce = os.urandom(_NONCE)
        return PREFIX + b64encode(nonce + self._aead.encrypt(nonce, text.encode(), None)).decode("ascii")

    def decrypt(self, stored: str) -> str:
        """
        @raise WrongKey: there is no key, or it is another one.
        """
        if not stored.startswith(PREFIX):
            return stored
        if self._aead is None:
            raise WrongKey("the database is encrypted and no encryption key is configured")
        from cryptography.exceptions import InvalidTag

        try:
            sealed = b64decode(stored[len(PREFIX) :], validate=True)
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()
        except (InvalidTag, ValueError):
            raise WrongKey("the encryption key is not the one of this database") from None
