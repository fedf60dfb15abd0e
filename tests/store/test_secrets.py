"""Upstream keys at rest."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store.secrets import Cipher, KeyRing, Undecipherable, is_sealed

from .databases import KEY

SECRET = "sk-canary-äöü"


class CipherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cipher = Cipher(KEY)

    def test_round_trip(self) -> None:
        """A key comes back as it went in, and never looks the same twice."""
        first, second = (self.cipher.seal(SECRET, "row") for _ in range(2))
        self.assertNotEqual(first, second)
        self.assertEqual({self.cipher.open(each, "row") for each in (first, second)}, {SECRET})

    def test_form(self) -> None:
        """Prefix, nonce, ciphertext and tag are where the reference has them."""
        sealed = self.cipher.seal(SECRET, "row")
        self.assertTrue(is_sealed(sealed))
        self.assertEqual(len(b64decode(sealed[len("enc:v1:") :])), 12 + len(SECRET.encode()) + 16)

    def test_reference(self) -> None:
        """What the reference encrypted is read."""
        nonce = os.urandom(12)
        sealed = "enc:v1:" + b64encode(nonce + AESGCM(KEY).encrypt(nonce, SECRET.encode(), None)).decode()
        self.assertEqual(self.cipher.open(sealed, "row"), SECRET)

    def test_refused(self) -> None:
        """Another key, another row, a changed byte, a cut or garbled text: none opens, none shows the secret."""
        sealed = self.cipher.seal(SECRET, "row")
        raw = bytearray(b64decode(sealed[7:]))
        raw[15] ^= 1
        table = (
            (Cipher(bytes(32)), sealed, "row"),
            (self.cipher, sealed, "another row"),
            (self.cipher, "enc:v1:" + b64encode(bytes(raw)).decode(), "row"),
            (self.cipher, sealed[:20], "row"),
            (self.cipher, "enc:v1:not base64!", "row"),
            (self.cipher, "enc:v1:", "row"),
            (self.cipher, SECRET, "row"),
        )
        for cipher, text, place in table:
            error = self.assertRaises(Undecipherable, cipher.open, text, place)
            self.assertNotIn("canary", str(error))

    def test_length(self) -> None:
        """A key of the wrong length is named as what it is, without being shown."""
        for size in (0, 16, 31, 33):
            error = self.assertRaises(ConfigError, Cipher, b"k" * size)
            self.assertEqual(str(error), f"ENCRYPTION_KEY: expected 32 bytes, got {size}")


class KeyRingTests(SynchronousTestCase):
    def test_without_key(self) -> None:
        """Without a key nothing is encrypted, and what is encrypted cannot be read."""
        ring = KeyRing(None)
        self.assertEqual(ring.open(ring.seal(SECRET, "row"), "row"), SECRET)
        self.assertRaises(Undecipherable, ring.open, Cipher(KEY).seal(SECRET, "row"), "row")

    def test_empty(self) -> None:
        """No key stays no key."""
        self.assertEqual(KeyRing(Cipher(KEY)).seal("", "row"), "")
