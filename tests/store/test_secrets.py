"""Upstream keys at rest."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store.secrets import Cipher, KeyRing, Undecipherable, form_of, is_sealed

from ..tables import row
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
        """Prefix, id of the key, nonce, ciphertext and tag are where they are said to be."""
        sealed = self.cipher.seal(SECRET, "row")
        self.assertTrue(is_sealed(sealed))
        self.assertRegex(sealed, "^enc:v2:[0-9a-f]{8}:")
        self.assertEqual(sealed[7:15], self.cipher.id)
        self.assertEqual(len(b64decode(sealed[16:])), 12 + len(SECRET.encode()) + 16)
        self.assertNotIn(self.cipher.id, (KEY.hex(), sha256(KEY).hexdigest()[:8]))

    def test_first_form(self) -> None:
        """What the reference and earlier releases encrypted is read, the latter only in its place."""
        for bound_to in (None, b"row"):
            nonce = os.urandom(12)
            sealed = "enc:v1:" + b64encode(nonce + AESGCM(KEY).encrypt(nonce, SECRET.encode(), bound_to)).decode()
            self.assertEqual(self.cipher.open(sealed, "row"), SECRET, bound_to)
        self.assertRaises(Undecipherable, self.cipher.open, sealed, "another row")

    def test_refused(self) -> None:
        """Another key, row or id, a changed byte, a cut or garbled text: none opens, none shows the secret."""
        sealed = self.cipher.seal(SECRET, "row")
        raw = bytearray(b64decode(sealed[16:]))
        raw[15] ^= 1
        prefix = sealed[:16]
        table = (
            (Cipher(bytes(32)), sealed, "row"),
            (self.cipher, sealed, "another row"),
            (self.cipher, prefix + b64encode(bytes(raw)).decode(), "row"),
            (self.cipher, "enc:v1:" + sealed[16:], "row"),
            (self.cipher, sealed[:30], "row"),
            (self.cipher, prefix + "not base64!", "row"),
            (self.cipher, prefix, "row"),
            (self.cipher, "enc:v1:", "row"),
            (self.cipher, "enc:v3:" + sealed[7:], "row"),
            (self.cipher, SECRET, "row"),
        )
        for cipher, text, place in table:
            with row(cipher):
                error = self.assertRaises(Undecipherable, cipher.open, text, place)
            self.assertNotIn("canary", str(error))

    def test_length(self) -> None:
        """A key of the wrong length is named as what it is, without being shown."""
        for size in (0, 16, 31, 33):
            with row(size):
                error = self.assertRaises(ConfigError, Cipher, b"k" * size)
            self.assertEqual(str(error), f"ENCRYPTION_KEY: expected 32 bytes, got {size}", size)


class KeyRingTests(SynchronousTestCase):
    def test_without_key(self) -> None:
        """Without a key nothing is encrypted, and what is encrypted cannot be read."""
        ring = KeyRing(None)
        self.assertEqual(ring.open(ring.seal(SECRET, "row"), "row"), SECRET)
        self.assertRaises(Undecipherable, ring.open, Cipher(KEY).seal(SECRET, "row"), "row")

    def test_empty(self) -> None:
        """No key stays no key."""
        self.assertEqual(KeyRing(Cipher(KEY)).seal("", "row"), "")

    def test_old_keys(self) -> None:
        """What an old key encrypted is read; what is written is encrypted with the current one."""
        old, new = Cipher(bytes(32)), Cipher(KEY)
        ring = KeyRing.of(KEY, [bytes(32)])
        self.assertEqual(ring.open(old.seal(SECRET, "row"), "row"), SECRET)
        self.assertEqual(new.open(ring.seal(SECRET, "row"), "row"), SECRET)
        self.assertEqual((ring.current, [each.id for each in ring]), (new.id, [new.id, old.id]))
        nonce = os.urandom(12)
        first_form = "enc:v1:" + b64encode(nonce + AESGCM(bytes(32)).encrypt(nonce, SECRET.encode(), b"row")).decode()
        self.assertEqual(ring.open(first_form, "row"), SECRET)

    def test_missing_key(self) -> None:
        """A key that is not there is named by its id."""
        sealed = Cipher(bytes(32)).seal(SECRET, "row")
        error = self.assertRaises(Undecipherable, KeyRing.of(KEY).open, sealed, "row")
        self.assertEqual(str(error), f"the key {sealed[7:15]} is not configured")

    def test_required(self) -> None:
        """Where encryption is required, somebody who writes a plain text into the database gains nothing by it."""
        ring = KeyRing.of(KEY, required=True)
        self.assertRaises(Undecipherable, ring.open, "plain", "row")
        self.assertEqual(ring.open("", "row"), "")

    def test_length_of_old_key(self) -> None:
        """An old key of the wrong length is called what it is."""
        self.assertEqual(
            str(self.assertRaises(ConfigError, KeyRing.of, KEY, [b"x"])), "ENCRYPTION_KEY_OLD: expected 32 bytes, got 1"
        )

    def test_forms(self) -> None:
        """How something is kept can be told without a key."""
        sealed = Cipher(KEY).seal(SECRET, "row")
        table = (("x", "plain"), ("", "plain"), ("enc:v1:abc", "v1"), (sealed, sealed[7:15]), ("enc:v9:x", "unknown"))
        for stored, form in table:
            self.assertEqual(form_of(stored), form, (stored, form))
