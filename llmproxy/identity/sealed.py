"""Sealed values: what a browser keeps for us, and can neither read nor change."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12
_LONGEST = 8192


class Sealed:
    """
    AES-256-GCM with a key by HKDF (RFC 5869).

    @param secret: all processes and machines that open what another has sealed have the same.
    """

    def __init__(self, secret: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), 32, salt=None, info=b"llmproxy sign-in").derive(secret))
        self._random = random

    def seal(self, kind: str, value: Any) -> str:
        """
        @param kind: what it is for; it is opened as nothing else.
        @param value: of JSON.
        """
        nonce = self._random(_NONCE)
        sealed = self._cipher.encrypt(nonce, msgspec.json.encode(value), kind.encode())
        return urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, kind: str, text: str) -> Any:
        """The value; C{None} where it is none of ours."""
        if not text or len(text) > _LONGEST or not text.isascii():
            return None
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return msgspec.json.decode(self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], kind.encode()))
        except (InvalidTag, ValueError, msgspec.DecodeError):
            return None
