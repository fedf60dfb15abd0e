"""Tests for L{llmproxy.identity.signatures}."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

from joserfc.jwk import OKPKey, RSAKey
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.identity import ALGORITHMS
from llmproxy.core.people.assertions import AssertionFault
from llmproxy.identity.signatures import LONGEST, check_header, check_signature, fitting, keys_of, parts_of

from ..tables import row
from .world import ec, public, rsa, signed

CLAIMS = {"sub": "u1"}


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def part(value: Any) -> str:
    return encoded(json.dumps(value))


class SignatureTests(SynchronousTestCase):
    def good(self, token: str, keys: list[dict[str, Any]]) -> bool:
        """As a provider asks."""
        algorithm, key_id = check_header(parts_of(token)[0], ALGORITHMS)
        return check_signature(token, algorithm, fitting(keys_of({"keys": keys}), algorithm, key_id))

    def test_good(self) -> None:
        ed = OKPKey.generate_key("Ed25519", {"kid": "d1"})
        keys = [public(rsa()), public(ec()), public(ed)]
        for key, algorithm in ((rsa(), "RS256"), (rsa(), "PS384"), (ec(), "ES256"), (ed, "EdDSA")):
            with row(algorithm):
                token = signed(key, CLAIMS, algorithm)
                self.assertTrue(self.good(token, keys))
                self.assertEqual(parts_of(token)[1], CLAIMS)
                head, _, signature = token.split(".")
                self.assertFalse(self.good(f"{head}.{part({'sub': 'u2'})}.{signature}", keys))
        # One without a key id is tried with what fits.
        self.assertTrue(self.good(signed(rsa(), CLAIMS, kid=None), keys))
        self.assertFalse(self.good(signed(rsa("k2"), CLAIMS), keys))
        self.assertFalse(self.good(signed(rsa("k2"), CLAIMS, kid="k1"), keys))

    def test_unsigned(self) -> None:
        """No signature, or one that everybody can make."""
        pem = rsa().as_pem(private=False)
        head = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part(CLAIMS)}"
        made = hmac.new(pem, head.encode(), "sha256").digest()
        confused = f"{head}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"
        for algorithm in ("none", "None", "nOnE", "HS256", "", None, 5, ["RS256"], "RS1", "ES256K"):
            with row(algorithm):
                token = f"{part({'alg': algorithm, 'kid': 'k1'})}.{part(CLAIMS)}."
                with self.assertRaises(AssertionFault):
                    self.good(token, [public(rsa())])
        with self.assertRaises(AssertionFault):
            self.good(confused, [public(rsa())])
        # Not even where a configuration of a program names it.
        with self.assertRaises(AssertionFault):
            check_header({"alg": "HS256"}, ("HS256",))

    def test_own_key(self) -> None:
        """A key that a token brings along is not looked at."""
        other = rsa("evil")
        for brought in ({"jku": "https://evil/keys"}, {"x5u": "https://evil/keys"}, {"x5t": "AAAA"}):
            with row(brought):
                self.assertFalse(self.good(signed(other, CLAIMS, kid=None, **brought), [public(rsa())]))
        head = part({"alg": "RS256", "jwk": public(other)})
        signature = signed(other, CLAIMS).rpartition(".")[2]
        try:
            self.assertFalse(self.good(f"{head}.{part(CLAIMS)}.{signature}", [public(rsa())]))
        except AssertionFault:
            pass

    def test_extensions(self) -> None:
        for header in ({"crit": ["x"], "x": 1}, {"b64": False}, {"kid": 5}):
            with row(header), self.assertRaises(AssertionFault):
                check_header({"alg": "RS256", **header}, ALGORITHMS)

    def test_no_jwt(self) -> None:
        for text in (
            "",
            "a.b",
            "a.b.c",
            "a.b.c.d",
            "a.b.c.d.e",
            "..",
            "é.b.c",
            f"{part([])}.{part({})}.",
            f"{part({'alg': 'RS256'})}.{part([])}.AA",
            f"{part({'alg': 'RS256'})}.!!!.AA",
            f"{part({'alg': 'RS256'})}.{encoded('[' * 6000)}.AA",
            f"{encoded('[' * 6000)}.{part({})}.AA",
            "." * LONGEST,
            f"{part({'alg': 'RS256'})}.{'A' * LONGEST}.AA",
        ):
            with row(text[:40]), self.assertRaises(AssertionFault):
                parts_of(text)

    def test_keys(self) -> None:
        """Of a set, what can check signatures; a short key, one for encryption, a shared one are left out."""
        short = RSAKey.generate_key(1024, {"kid": "k1"})
        usable = public(rsa())
        for key in (
            public(short),
            {**usable, "use": "enc"},
            {**usable, "alg": "PS256"},
            {**usable, "key_ops": ["sign"]},
            {**usable, "n": "!!"},
            {"kty": "RSA", "kid": "k1"},
            {"kty": "oct", "kid": "k1", "k": "AAAA"},
            {"kty": "XX", "kid": "k1"},
            {},
            5,
        ):
            with row(key):
                token = signed(short if key == public(short) else rsa(), CLAIMS)
                self.assertFalse(self.good(token, [key]))  # type: ignore[list-item]
                # What is odd takes nothing from what is good beside it.
                self.assertTrue(self.good(signed(rsa(), CLAIMS), [key, usable]))  # type: ignore[list-item]
        for document in (None, [], {}, {"keys": {}}, {"keys": "x"}):
            with row(document), self.assertRaises(AssertionFault):
                keys_of(document)

    def test_curves(self) -> None:
        """A signature of one curve is not checked with another."""
        self.assertEqual(fitting([public(ec())], "ES384", "e1"), [])
        self.assertEqual(fitting([public(ec())], "RS256", "e1"), [])
        self.assertEqual(len(fitting([public(ec())], "ES256", "e1")), 1)
