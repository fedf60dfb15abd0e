"""Tests for L{llmproxy.core.people.codeflow}."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.people.codeflow import (
    LONGEST_NEXT,
    Attempt,
    SignInFailed,
    authorization_url,
    begun,
    code_of,
    logout_url,
    token_request,
)

from ...tables import row

NOW = 1000.0


def attempt(**changes: Any) -> Attempt:
    values: dict[str, Any] = {"provider": "corp", "redirect_uri": "https://us/back", "next": "/x", "purpose": "admin"}
    numbers = iter(range(100))
    return begun(lambda count: bytes([next(numbers)]) * count, NOW, **{**values, **changes})


class CodeFlowTests(SynchronousTestCase):
    def test_begun(self) -> None:
        """Three unpredictable texts, none of which says another; nothing of them is shown."""
        one = attempt()
        texts = {one.state, one.nonce, one.verifier}
        self.assertEqual((len(texts), {len(each) for each in texts}), (3, {43}))
        self.assertEqual(one.until, NOW + 600)
        self.assertEqual(attempt(next="/" + "x" * LONGEST_NEXT).next, "")
        for each in texts:
            self.assertNotIn(each, repr(one))

    def test_values(self) -> None:
        """What a browser keeps is read as what it was, or as nothing."""
        self.assertEqual(Attempt.of(attempt().values()), attempt())
        for other in (None, [], {}, ["a"], "abc"):
            self.assertIsNone(Attempt.of(other), other)

    def test_url(self) -> None:
        """The challenge is sent, and never the verifier; an address keeps what it has."""
        one = attempt()
        url = authorization_url("https://id/auth?p=b2c", "a b", ("openid", "email"), one)
        said = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        challenge = urlsafe_b64encode(sha256(one.verifier.encode()).digest()).rstrip(b"=").decode()
        self.assertEqual(
            said,
            {
                "p": "b2c",
                "response_type": "code",
                "client_id": "a b",
                "redirect_uri": "https://us/back",
                "scope": "openid email",
                "state": one.state,
                "nonce": one.nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            },
        )
        self.assertNotIn(one.verifier, url)

    def test_parameters(self) -> None:
        """What a provider wants besides is said too, and never in the place of what makes it a sign-in."""
        more = {"access_type": "offline", "prompt": "select_account consent", "state": "s", "scope": "x"}
        one = attempt()
        said = parse_qs(urlsplit(authorization_url("https://id/auth", "c", ("openid",), one, more)).query)
        self.assertEqual((said["access_type"], said["prompt"]), (["offline"], ["select_account consent"]))
        self.assertEqual((said["state"], said["scope"]), ([one.state], ["openid"]))

    def code(self, one: Attempt | None, said: dict[str, str], **changes: Any) -> str:
        values: dict[str, Any] = {
            "provider": "corp",
            "redirect_uri": "https://us/back",
            "purpose": "admin",
            "issuer": "https://id",
            "names_issuer": False,
            "now": NOW + 10,
        }
        return code_of(one, said, **{**values, **changes})

    def test_code(self) -> None:
        one = attempt()
        good = {"state": one.state, "code": "c"}
        self.assertEqual(self.code(one, good), "c")
        self.assertEqual(self.code(one, {**good, "iss": "https://id"}, names_issuer=True), "c")

    def test_no_code(self) -> None:
        """Somebody else's answer, another provider's, one of another purpose, a late one, a refusal: none is taken."""
        one = attempt()
        good = {"state": one.state, "code": "c"}
        rows: tuple[tuple[Attempt | None, dict[str, str], dict[str, Any], str], ...] = (
            (None, good, {}, "not begun in this browser"),
            (one, {"code": "c"}, {}, "another sign-in"),
            (one, {**good, "state": attempt(provider="b").state + "x"}, {}, "another sign-in"),
            (one, {**good, "state": "é\udc80"}, {}, "another sign-in"),
            (one, good, {"provider": "other"}, "another sign-in"),
            (one, good, {"redirect_uri": "https://evil/back"}, "another sign-in"),
            (one, good, {"purpose": "device"}, "another sign-in"),
            (one, good, {"now": NOW + 600}, "longer than 10 minutes"),
            (one, {**good, "iss": "https://evil"}, {}, "not of the provider"),
            (one, good, {"names_issuer": True}, "not of the provider"),
            (one, {"state": one.state}, {}, "no code"),
            (one, {**good, "code": "c" * 9000}, {}, "no code"),
            (one, {**good, "error": "access_denied"}, {}, "did not let you in"),
            (one, {**good, "error": "<b>x</b>", "error_description": "call 0900"}, {}, "(bxb)"),
        )
        for which, said, changes, why in rows:
            with row(said, changes):
                words = str(self.assertRaises(SignInFailed, self.code, which, said, **changes))
                self.assertIn(why, words)
                self.assertNotIn("0900", words)

    def test_token_request(self) -> None:
        """The secret goes where the provider wants it, written as RFC 6749 has it."""
        one = attempt()
        form, fields = token_request(one, "c", "a:b", "s/p ü", ("client_secret_basic", "client_secret_post"))
        self.assertEqual(form["code_verifier"], one.verifier)
        self.assertEqual(b64decode(fields["Authorization"][6:]), b"a%3Ab:s%2Fp+%C3%BC")
        self.assertNotIn("client_secret", form)
        form, fields = token_request(one, "c", "a", "s", ("client_secret_post",))
        self.assertEqual((form["client_secret"], form["client_id"], fields), ("s", "a", {}))
        form, fields = token_request(one, "c", "a", None, ("client_secret_basic",))
        self.assertEqual((form.get("client_secret"), form["client_id"], fields), (None, "a", {}))

    def test_logout_url(self) -> None:
        url = logout_url("https://id/out", "us", "a.b.c", "https://us/in")
        said = parse_qs(urlsplit(url).query)
        self.assertEqual(said["id_token_hint"], ["a.b.c"])
        self.assertEqual((said["post_logout_redirect_uri"], "state" in said), (["https://us/in"], False))
