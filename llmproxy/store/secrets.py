"""
Upstream keys at rest: AES-256-GCM, C{enc:v2:<id of the key>:} and base64 of nonce (12), ciphertext, tag (16).

They are bound to the row that they stand in (the additional data of GCM), so that nobody who can
write to the database can have one project spend with another's key. The id tells which of several
keys it was, so that a key can be replaced while the proxy runs.

C{enc:v1:} is the reference's form, without an id. Earlier releases bound it to the row as well; what the
reference wrote is bound to nothing. Both are read.
"""

from __future__ import annotations

import hmac
import os
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import ConfigError

V1 = "enc:v1:"
V2 = "enc:v2:"
KEY_SIZE = 32
ID_SIZE = 8
_NONCE = 12
_TAG = 16
_SEALED = re.compile(r"enc:v\d+:")


class Undecipherable(Exception):
    """It was made with another key, for another row, or is damaged."""


class Cipher:
    """
    Seals and opens with one key.

    @param key: 32 bytes.
    @param name: what messages call the key.
    @ivar id: eight hexadecimal digits that tell this key from others, and nothing about it.
    @raise ConfigError: the key has another length.
    """

    def __init__(self, key: bytes, name: str = "ENCRYPTION_KEY") -> None:
        if len(key) != KEY_SIZE:
            raise ConfigError(f"{name}: expected {KEY_SIZE} bytes, got {len(key)}")
        self._key = AESGCM(key)
        self.id = hmac.digest(key, b"llmproxy key id", "sha256").hex()[:ID_SIZE]
        self._prefix = f"{V2}{self.id}:"

    def seal(self, plain: str, place: str) -> str:
        """
        Encrypt.

        @param place: where the result will stand; it opens only there.
        """
        nonce = os.urandom(_NONCE)
        sealed = self._key.encrypt(nonce, plain.encode(), (self._prefix + place).encode())
        return self._prefix + b64encode(nonce + sealed).decode()

    def open(self, sealed: str, place: str) -> str:
        """
        Decrypt.

        @raise Undecipherable: with nothing of the text in it.
        """
        if sealed.startswith(self._prefix):
            return self._open(sealed.removeprefix(self._prefix), ((self._prefix + place).encode(),))
        if sealed.startswith(V1):
            return self._open(sealed.removeprefix(V1), (place.encode(), None))
        raise Undecipherable("it is not encrypted with this key")

    def _open(self, text: str, bindings: Sequence[bytes | None]) -> str:
        nonce, ciphertext = _parts(text)
        for bound_to in bindings:
            try:
                return self._key.decrypt(nonce, ciphertext, bound_to).decode()
            except InvalidTag:
                continue
        raise Undecipherable("decryption failed")


def is_sealed(text: str) -> bool:
    """Whether it claims to be encrypted, in a form of ours or of a later release."""
    return _SEALED.match(text) is not None


def form_of(stored: str) -> str:
    """How a text is kept: C{plain}, C{v1}, the id of a key, or C{unknown} for what a later release wrote."""
    if not is_sealed(stored):
        return "plain"
    if stored.startswith(V2):
        return stored[len(V2) :].partition(":")[0]
    return "v1" if stored.startswith(V1) else "unknown"


def _parts(text: str) -> tuple[bytes, bytes]:
    try:
        raw = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise Undecipherable("invalid ciphertext format") from None
    if len(raw) < _NONCE + _TAG:
        raise Undecipherable("invalid ciphertext format")
    return raw[:_NONCE], raw[_NONCE:]


class KeyRing:
    """
    What the project store encrypts with: a L{Cipher}, or nothing where no key is configured.

    A stored text without a prefix is plain, from the time before a key was configured.

    @param cipher: seals, and opens.
    @param old: open only.
    @param required: what is not encrypted is not read.
    @ivar source: where the key comes from, C{""} if nobody knows.
    """

    def __init__(
        self, cipher: Cipher | None, old: Sequence[Cipher] = (), *, required: bool = False, source: str = ""
    ) -> None:
        self.source = source
        self._cipher = cipher
        self._old = tuple(old)
        self.required = required

    @classmethod
    def of(cls, key: bytes | None, old: Sequence[bytes] = (), *, required: bool = False) -> KeyRing:
        """
        @raise ConfigError: a key has another length.
        """
        ciphers = [Cipher(each, "ENCRYPTION_KEY_OLD") for each in old]
        source = getattr(key, "source", "")
        return cls(None if key is None else Cipher(key), ciphers, required=required, source=source)

    def __iter__(self) -> Iterator[Cipher]:
        """All of them, the one that seals first."""
        if self._cipher is not None:
            yield self._cipher
        yield from self._old

    @property
    def current(self) -> str | None:
        """The id of the key that seals."""
        return None if self._cipher is None else self._cipher.id

    def seal(self, plain: str, place: str) -> str:
        """Nothing stays nothing."""
        return self._cipher.seal(plain, place) if self._cipher is not None and plain else plain

    def open(self, stored: str, place: str) -> str:
        """
        @raise Undecipherable: also where it is encrypted and the key is not configured, and where it is not
            encrypted and should be.
        """
        if not is_sealed(stored):
            if stored and self.required:
                raise Undecipherable("it is not encrypted")
            return stored
        form, ciphers = form_of(stored), list(self)
        if not ciphers:
            raise Undecipherable("no encryption key configured")
        if form == "v1":
            return self._try(ciphers, stored, place)
        for cipher in ciphers:
            if cipher.id == form:
                return cipher.open(stored, place)
        raise Undecipherable(f"the key {form[:ID_SIZE]} is not configured")

    def _try(self, ciphers: list[Cipher], stored: str, place: str) -> str:
        for cipher in ciphers[:-1]:
            try:
                return cipher.open(stored, place)
            except Undecipherable:
                continue
        return ciphers[-1].open(stored, place)
