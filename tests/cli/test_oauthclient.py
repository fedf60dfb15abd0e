"""Tests for L{llmproxy.cli.oauthclient}: what a proxy may answer."""

from __future__ import annotations

import json
from email.message import Message
from typing import Any

import click
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.credentials import SignIn
from llmproxy.cli.faults import Fault, Unreachable
from llmproxy.cli.http import Answer
from llmproxy.cli.oauthclient import Asked, Denied, Endpoints, OAuthClient

from ..tables import row

URL = "https://proxy.example/llm"
PATHS = Endpoints("/oauth/device_authorization", "/oauth/token", "/oauth/revoke")
GOOD = {"access_token": "sk-a", "refresh_token": "llmr_a", "expires_in": 600, "token_type": "Bearer"}


class OAuthClientTests(SynchronousTestCase):
    def client(self, *answers: tuple[int, Any]) -> OAuthClient:
        """One whose questions are answered so, one after the other."""
        waiting = list(answers)

        class Fake:
            def ask(self, *arguments: Any) -> Answer:
                status, value = waiting.pop(0)
                body = value if isinstance(value, bytes) else json.dumps(value).encode()
                return Answer(status, Message(), body)  # type: ignore[arg-type]

        context = click.Context(click.Command("x"), obj=lambda address, timeout: Fake())
        with context:
            return OAuthClient(URL)

    def described(self, **changes: Any) -> dict[str, Any]:
        paths = {
            "device_authorization_endpoint": f"{URL}/oauth/device_authorization",
            "token_endpoint": "https://proxy.example:443/llm/oauth/token",
            "revocation_endpoint": f"{URL}/oauth/revoke",
        }
        return {**paths, **changes}

    def test_endpoints(self) -> None:
        """Those that are of the same origin, and below it."""
        self.assertEqual(self.client((200, self.described())).endpoints(), PATHS)
        for url in (
            "https://evil.example/llm/oauth/token",
            "http://proxy.example/llm/oauth/token",
            "https://proxy.example:444/llm/oauth/token",
            "https://proxy.example/oauth/token",
            "https://a@proxy.example/llm/oauth/token",
            "/oauth/token",
            "",
            None,
            5,
        ):
            with row(url):
                self.assertRaises(Fault, self.client((200, self.described(token_endpoint=url))).endpoints)

    def test_not_there(self) -> None:
        for status, answer, error in (
            (404, {}, Fault),
            (401, {"error": "x"}, Fault),
            (200, [], Fault),
            (200, b"<html>", Fault),
            (503, {}, Unreachable),
        ):
            with row(status):
                self.assertRaises(error, self.client((status, answer)).endpoints)

    def test_asked(self) -> None:
        """RFC 8628 section 3.2; without an interval it is five seconds."""
        said = {"device_code": "d", "user_code": "u", "verification_uri": "https://p/device", "expires_in": 600}
        self.assertEqual(
            self.client((200, said)).ask(PATHS, "x", "y"),
            Asked("d", "u", "https://p/device", "https://p/device", 600, 5),
        )
        for name in said:
            with row(name):
                wrong = {key: value for key, value in said.items() if key != name}
                self.assertRaises(Fault, self.client((200, wrong)).ask, PATHS, "x", "y")

    def test_waiting(self) -> None:
        """Answers of a proxy while somebody decides, and how long is waited before each question."""
        for answers, waits in (
            ([(200, GOOD)], [5]),
            ([(400, {"error": "authorization_pending"}), (200, GOOD)], [5, 5]),
            ([(400, {"error": "slow_down"}), (400, {"error": "authorization_pending"}), (200, GOOD)], [5, 10, 10]),
            ([(503, b""), (429, {"error": "temporarily_unavailable"}), (200, GOOD)], [5, 10, 10]),
        ):
            slept: list[float] = []
            found = self.client(*answers).wait(PATHS, Asked("d", "u", "", "", 600, 5), lambda: 1000.0, slept.append)
            self.assertEqual((slept, found.access_token, found.expires_at), (waits, "sk-a", 1600), answers)

    def test_ended(self) -> None:
        for code in ("access_denied", "expired_token", "invalid_grant"):
            waiting = self.client((400, {"error": code}))
            asked = Asked("d", "u", "", "", 600, 5)
            with row(code):
                error = self.assertRaises(Denied, waiting.wait, PATHS, asked, lambda: 0.0, lambda seconds: None)
                self.assertEqual(error.code, code)

    def test_refreshed(self) -> None:
        """What is no pair of tokens is kept by nobody."""
        before = SignIn(URL, "sk-0", "llmr_0", 0.0, 600.0, "/oauth/token", "/oauth/revoke")
        after = self.client((200, GOOD)).refresh(before, 100.0)
        self.assertEqual((after.refresh_token, after.expires_at, after.token_endpoint), ("llmr_a", 700, "/oauth/token"))
        for changes in ({"access_token": "a\nb"}, {"access_token": 5}, {"refresh_token": None}, {"expires_in": "x"}):
            with row(changes):
                self.assertRaises(Fault, self.client((200, {**GOOD, **changes})).refresh, before, 0.0)
        error = self.assertRaises(Denied, self.client((401, {"error": "invalid_grant"})).refresh, before, 0.0)
        self.assertEqual(error.code, "invalid_grant")
