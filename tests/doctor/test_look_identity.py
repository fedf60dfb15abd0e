"""A look at each identity provider."""

from __future__ import annotations

import json
import socket
from typing import Any

from attrs import evolve

from llmproxy.config.identity import GrantConfig, IdentityConfig, ProviderConfig
from llmproxy.core.doctor.identityprovider import ProviderFacts
from llmproxy.doctor.look_identity import look_at_identity

from ..identity.world import public, rsa
from .subjects import SubjectTestCase


class Server:
    """Answers one request on each connection with what stands at its path."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}

    def __call__(self, connection: socket.socket) -> None:
        heard = b""
        while b"\r\n\r\n" not in heard and (data := connection.recv(4096)):
            heard += data
        found = self.answers.get(heard.split(b" ")[1].decode())
        content = found if isinstance(found, bytes) else json.dumps(found).encode()
        if content.startswith(b"HTTP/"):
            connection.sendall(content)
            return
        head = b"HTTP/1.1 200 OK\r\nDate: Tue, 01 Jan 2030 00:00:00 GMT\r\nConnection: close\r\n"
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)


class IdentityTests(SubjectTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = Server()
        self.issuer = f"http://127.0.0.1:{self.served(self.server)}"
        self.said: dict[str, Any] = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        self.server.answers = {
            "/.well-known/openid-configuration": self.said,
            "/keys": {"keys": [public(rsa()), {"kty": "oct"}]},
        }

    def look(self, offline: bool = False, **changes: Any) -> ProviderFacts | None:
        config = evolve(ProviderConfig("corp", self.issuer, "us"), **changes)
        subject = self.subject()
        assert subject.apis is not None
        apis = evolve(subject.apis, identity=IdentityConfig((config,), (GrantConfig(role="owner"),)))
        found = look_at_identity(evolve(subject, apis=apis, offline=offline))
        return None if found is None else found[0]

    def test_said(self) -> None:
        """What it says of itself, how many of its keys are of use, and its time."""
        found = self.look()
        assert found is not None
        self.assertEqual((found.error, found.keys, found.pkce), ("", 1, True))
        self.assertNotEqual(found.clock, None)
        self.said["code_challenge_methods_supported"] = ["plain"]
        found = self.look()
        assert found is not None
        self.assertFalse(found.pkce)

    def test_wrong(self) -> None:
        """Another issuer, no keys, a redirect, no JSON, nobody there."""
        moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        for path, value, words in (
            ("/keys", {}, "no JWK set"),
            ("/keys", moved, "answers 302"),
            ("/keys", b"<html>", "no JSON"),
            ("/.well-known/openid-configuration", {**self.said, "jwks_uri": None}, "no address for its keys"),
            ("/.well-known/openid-configuration", {"issuer": "https://other"}, "it calls itself 'https://other'"),
            ("/.well-known/openid-configuration", [], "it calls itself"),
        ):
            before = self.server.answers[path]
            self.server.answers[path] = value
            found = self.look()
            self.server.answers[path] = before
            assert found is not None
            self.assertIn(words, found.error, (path, value))
        found = self.look(issuer="http://127.0.0.1:1")
        assert found is not None
        self.assertIn("no answer: ", found.error)

    def test_none(self) -> None:
        self.assertIsNone(self.look(offline=True))
        self.assertEqual(look_at_identity(self.subject()), ())
