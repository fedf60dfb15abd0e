"""Tests for L{llmproxy.web.agents.oauth}: RFC 8414, RFC 8628, RFC 6749 and RFC 7009, as Claude Code asks."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail

from llmproxy.core.deviceflow import DEVICE_GRANT
from llmproxy.errors import Unavailable
from llmproxy.web.agents.oauth import DeviceAuthorization, Metadata, Revocation, TokenEndpoint

from .agentcase import Got
from .oauthcase import OAuthTestCase


class MetadataTests(OAuthTestCase):
    def test_document(self) -> None:
        """RFC 8414: all endpoints are of the origin that was asked, below the base URL."""
        resource = self.made(Metadata)
        found = self.json(self.sent(resource, method="GET"))
        self.assertEqual(found["issuer"], "http://proxy.example")
        self.assertEqual(found["device_authorization_endpoint"], "http://proxy.example/oauth/device_authorization")
        self.assertEqual(found["token_endpoint"], "http://proxy.example/oauth/token")
        self.assertEqual(found["grant_types_supported"], [DEVICE_GRANT, "refresh_token"])
        self.assertNotIn("authorization_endpoint", found)
        resource.base = "/anthropic"  # type: ignore[attr-defined]
        self.public_url = "https://llm.example/"
        self.assertEqual(
            self.json(self.sent(resource, method="GET"))["token_endpoint"], "https://llm.example/anthropic/oauth/token"
        )

    def test_host(self) -> None:
        """What is no name of a host is no part of an address that anybody follows."""
        for host in ("", "a b", "evil/..", "a@b", 'a"b', "x" * 10 + "#"):
            got = self.sent(self.made(Metadata), method="GET", Host=host)
            self.assertEqual(got.status, 400, host)


class DeviceAuthorizationTests(OAuthTestCase):
    def test_answer(self) -> None:
        """RFC 8628 section 3.2, of an empty form: Claude Code sends no more."""
        got = self.sent(self.made(DeviceAuthorization), b"", User_Agent="claude-cli/2.1.197 (external, cli)")
        found = self.json(got)
        self.assertEqual(got.status, 200)
        self.assertEqual(found["verification_uri"], "http://proxy.example/device")
        self.assertEqual(
            found["verification_uri_complete"], f"http://proxy.example/device?user_code={found['user_code']}"
        )
        self.assertEqual((found["expires_in"], found["interval"]), (600, 5))
        self.assertGreaterEqual(len(found["device_code"]), 43)
        self.assertEqual((got.field("cache-control"), got.field("pragma")), ("no-store", "no-cache"))
        grant = self.done(self.devices.waiting(found["user_code"]))
        assert grant is not None
        self.assertEqual((grant.program, grant.device), ("claude-cli/2.1.197", ""))

    def test_named(self) -> None:
        """What a program says of itself is what the person will read."""
        form = {"client_id": "llmproxy", "device_name": "laptop", "scope": "openid"}
        found = self.json(self.sent(self.made(DeviceAuthorization), form))
        grant = self.done(self.devices.waiting(found["user_code"]))
        assert grant is not None
        self.assertEqual((grant.program, grant.device), ("llmproxy", "laptop"))

    def test_library(self) -> None:
        """Claude Code's sign-in names only the library that it asks with: people read whose that is."""
        for form, name in ((b"", "Claude Code (axios/1.15.2)"), ({"device_name": "x"}, "axios/1.15.2")):
            found = self.json(self.sent(self.made(DeviceAuthorization), form, User_Agent="axios/1.15.2"))
            grant = self.done(self.devices.waiting(found["user_code"]))
            assert grant is not None
            self.assertEqual(grant.program, name, form)

    def test_limited(self) -> None:
        """Each address has only so many."""
        resource = self.made(DeviceAuthorization, 2)
        self.assertEqual([self.sent(resource, b"").status for _ in range(3)], [200, 200, 429])
        got = self.sent(resource, b"")
        self.assertEqual((self.json(got)["error"], got.field("retry-after")), ("temporarily_unavailable", "6"))

    def test_wrong(self) -> None:
        """Refusals are OAuth's, whatever is wrong."""
        resource = self.made(DeviceAuthorization)
        for form, fields, status in (
            (b"a=1&a=2", {}, 400),
            (b"\xff=%ff", {}, 400),
            (b"x" * 9000, {}, 413),
            (b"{}", {"Content_Type": "application/json"}, 400),
            (b"&".join(b"a%d=1" % number for number in range(30)), {}, 400),
        ):
            got = self.sent(resource, form, **fields)
            self.assertEqual((got.status, self.json(got)["error"]), (status, "invalid_request"), form[:20])
        got = self.sent(resource, method="GET")
        self.assertEqual((got.status, self.json(got)["error"], got.field("allow")), (405, "invalid_request", "POST"))


class TokenTests(OAuthTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = self.made(TokenEndpoint)
        begun = self.done(self.devices.begin("claude-cli/2.1", "laptop", "203.0.113.7"))
        self.user_code = begun.user_code
        self.form = {"grant_type": DEVICE_GRANT, "device_code": begun.device_code}

    def said(self, form: dict[str, str]) -> tuple[int, str]:
        got = self.sent(self.endpoint, form)
        return got.status, self.json(got)["error"]

    def signed_in(self) -> dict[str, Any]:
        self.decided(self.user_code)
        return self.json(self.sent(self.endpoint, self.form))

    def refreshed(self, text: str) -> Got:
        return self.sent(self.endpoint, {"grant_type": "refresh_token", "refresh_token": text})

    def test_contract(self) -> None:
        """What Claude Code is answered while a person decides, in its words and with its statuses."""
        self.assertEqual(self.said(self.form), (400, "authorization_pending"))
        self.assertEqual(self.said(self.form), (400, "slow_down"))
        self.clock.advance(10)
        self.decided(self.user_code)
        got = self.sent(self.endpoint, self.form)
        found = self.json(got)
        self.assertEqual((got.status, found["token_type"], found["expires_in"]), (200, "Bearer", 3600))
        self.assertEqual(got.length, len(got.body))
        token = self.principal(found["access_token"]).token
        self.assertEqual(token.person_id, self.ann.id)
        self.clock.advance(5)
        self.assertEqual(self.said(self.form), (400, "expired_token"))

    def test_denied(self) -> None:
        self.decided(self.user_code, False)
        self.assertEqual(self.said(self.form), (400, "access_denied"))

    def test_expired(self) -> None:
        self.clock.advance(600)
        self.assertEqual(self.said(self.form), (400, "expired_token"))

    def test_errors(self) -> None:
        """RFC 6749 section 5.2."""
        for form, expected in (
            ({}, "invalid_request"),
            ({"grant_type": ""}, "invalid_request"),
            ({"grant_type": DEVICE_GRANT}, "invalid_request"),
            ({"grant_type": DEVICE_GRANT, "device_code": "x"}, "invalid_grant"),
            ({"grant_type": DEVICE_GRANT, "device_code": self.user_code}, "invalid_grant"),
            ({"grant_type": "refresh_token"}, "invalid_request"),
            ({"grant_type": "authorization_code", "code": "x"}, "unsupported_grant_type"),
            ({"grant_type": "password", "username": "x", "password": "y"}, "unsupported_grant_type"),
            ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ):
            self.assertEqual(self.said(form), (400, expected), form)

    def test_refreshed(self) -> None:
        """A fresh pair, with both in it."""
        first = self.signed_in()
        second = self.json(self.refreshed(first["refresh_token"]))
        self.assertNotIn(first["refresh_token"], second.values())
        self.assertEqual(self.principal(second["access_token"]).token.person_id, self.ann.id)
        self.assertEqual([each[0] for each in self.audit.records], ["device.token", "device.refresh"])

    def test_reuse(self) -> None:
        """401 invalid_grant, which sends who has it to sign in again, and the audit log says what happened."""
        first = self.signed_in()
        second = self.json(self.refreshed(first["refresh_token"]))
        # From elsewhere.
        refresh = self.devices.refresh
        self.patch(self.devices, "refresh", lambda text, address: refresh(text, "198.51.100.9"))
        for text in (first["refresh_token"], second["refresh_token"]):
            got = self.refreshed(text)
            self.assertEqual((got.status, self.json(got)["error"]), (401, "invalid_grant"), text)
        action, _, outcome, details = self.audit.records[2]
        self.assertEqual((action, outcome, details["person_id"]), ("device.reuse", "denied", self.ann.id))
        whole = repr(self.audit.records)
        for secret in (*first.values(), *second.values()):
            if isinstance(secret, str) and len(secret) > 10:
                self.assertNotIn(secret, whole)

    def test_stale(self) -> None:
        """Another process of the same program was first: 401 invalid_grant, and what that has is good."""
        first = self.signed_in()
        second = self.json(self.refreshed(first["refresh_token"]))
        # As often as it likes: nobody guesses.
        for _ in range(30):
            got = self.refreshed(first["refresh_token"])
            self.assertEqual((got.status, self.json(got)["error"]), (401, "invalid_grant"))
        self.assertEqual(self.refreshed(second["refresh_token"]).status, 200)
        action, _, outcome, details = self.audit.records[2]
        self.assertEqual((action, outcome, details["reason"]), ("device.refresh", "denied", "stale"))
        self.assertNotIn("device.reuse", repr(self.audit.records))

    def test_left(self) -> None:
        """Who was shut out: their program is sent to sign in."""
        first = self.signed_in()
        self.done(self.people.revoke(self.ann.id))
        got = self.refreshed(first["refresh_token"])
        self.assertEqual((got.status, self.json(got)["error"]), (401, "invalid_grant"))
        self.assertEqual(got.field("www-authenticate"), "Bearer")

    def test_guessing(self) -> None:
        """Who shows codes that are none waits, whatever comes then."""
        for _ in range(10):
            self.said({"grant_type": "refresh_token", "refresh_token": "x"})
        self.assertEqual(self.said(self.form)[0], 429)
        self.clock.advance(6)
        self.assertEqual(self.said(self.form)[0], 400)

    def test_away(self) -> None:
        """A database that is away, and a proxy that stops: come again."""
        self.patch(self.devices, "refresh", lambda *_: fail(Unavailable("away")))
        got = self.refreshed("x")
        self.assertEqual((got.status, self.json(got)["error"]), (503, "temporarily_unavailable"))
        self.assertEqual(got.field("retry-after"), "1")
        self.is_draining = True
        self.assertEqual(self.said(self.form), (503, "temporarily_unavailable"))

    def test_broken(self) -> None:
        """What nobody thought of says nothing of its cause."""

        def broken(*_: str) -> Any:
            raise RuntimeError("secret")

        self.patch(self.devices, "refresh", broken)
        got = self.refreshed("x")
        self.assertEqual((got.status, self.json(got)["error"]), (500, "server_error"))
        self.assertNotIn(b"secret", got.body)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class RevocationTests(OAuthTestCase):
    def test_signed_out(self) -> None:
        """RFC 7009: 200, whether it was one or not; what it was for is over."""
        begun = self.done(self.devices.begin("llmproxy", "", ""))
        self.decided(begun.user_code)
        issued = self.done(self.devices.redeem(begun.device_code))
        resource = self.made(Revocation)
        for text in ("x", issued.refresh_token, issued.refresh_token):
            self.assertEqual(self.sent(resource, {"token": text}).status, 200, text)
        [device] = self.done(self.devices.of_person(self.ann.id))
        self.assertEqual(device.ended_because, "signed_out")
        self.assertEqual(self.json(self.sent(resource, {}))["error"], "invalid_request")
