"""An identity provider in memory: its documents, its keys, and tokens that it signs."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from llmproxy.config.identity import ProviderConfig
from llmproxy.identity.fetching import Fetcher
from llmproxy.identity.provider import Provider

from ..store.databases import NOW

ISSUER = "https://id.example.com"
SECRET = "a-client-secret"


@cache
def rsa(name: str = "k1") -> Any:
    return RSAKey.generate_key(2048, {"kid": name})


@cache
def ec(name: str = "e1") -> Any:
    return ECKey.generate_key("P-256", {"kid": name})


def public(key: Any, **more: Any) -> dict[str, Any]:
    """As it stands in a JWK set."""
    return {**key.as_dict(private=False), **more}


def signed(key: Any, claims: dict[str, Any], algorithm: str = "RS256", **header: Any) -> str:
    """A JWT."""
    head = {"alg": algorithm, "kid": key.as_dict(private=False).get("kid")} | header
    head = {name: value for name, value in head.items() if value is not None}
    return str(jws.serialize_compact(head, json.dumps(claims).encode(), key, algorithms=[algorithm]))


def config_of(**changes: Any) -> ProviderConfig:
    values: dict[str, Any] = {"audiences": ["llm"], "client_secret": SECRET, "client_id": "llmproxy"}
    return ProviderConfig("corp", ISSUER, **{**values, **changes})


class Response:
    def __init__(self, code: int, content: bytes) -> None:
        self.code = code
        self._content = content

    def deliverBody(self, protocol: Any) -> None:
        protocol.makeConnection(_Transport())
        for at in range(0, len(self._content), 100_000):
            protocol.dataReceived(self._content[at : at + 100_000])
        protocol.connectionLost(Failure(ResponseDone()))


class _Transport:
    def loseConnection(self) -> None:
        pass


class Idp:
    """
    The agent that asks it, and it itself.

    @ivar asked: method and path of each request.
    @ivar answers: what stands at a path: a value, bytes, or a function of the form that was sent.
    @ivar away: nothing is answered.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.fields: list[dict[str, Any]] = []
        self.away = self.closed = False
        self.silent = False
        self.status: dict[str, int] = {}
        self.answers: dict[str, Any] = {
            "/.well-known/openid-configuration": {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/authorize",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys",
                "userinfo_endpoint": f"{ISSUER}/me",
                "end_session_endpoint": f"{ISSUER}/out",
            },
            "/keys": {"keys": [public(rsa())]},
        }

    def request(self, method: str, url: str, *, headers: Any = None, data: bytes | None = None) -> Deferred[Any]:
        path = url.removeprefix(ISSUER)
        self.asked.append(f"{method} {path}")
        self.fields.append(headers)
        if self.silent:
            return Deferred()
        if self.away:
            return fail(ConnectionRefusedError())
        form = {name: values[0] for name, values in parse_qs((data or b"").decode()).items()}
        self.forms.append(form)
        found = self.answers.get(path)
        if callable(found):
            found = found(form)
        status = self.status.get(path, 404 if found is None else 200)
        return succeed(Response(status, found if isinstance(found, bytes) else json.dumps(found).encode()))

    def close(self) -> Deferred[None]:
        self.closed = True
        return succeed(None)

    def provider(self, **changes: Any) -> Provider:
        return Provider(config_of(**changes), Fetcher(self.clock, self), self.clock.seconds)

    def claims(self, **more: Any) -> dict[str, Any]:
        """Of an access token."""
        now = int(self.clock.seconds())
        said = {"iss": ISSUER, "aud": "llm", "sub": "u1", "iat": now, "exp": now + 300, "client_id": "cli"}
        said |= {"email": "ann@x.org", "email_verified": True, "name": "Ann", "groups": ["eng"]}
        return {name: value for name, value in (said | more).items() if value is not None}

    def id_claims(self, nonce: str, **more: Any) -> dict[str, Any]:
        return self.claims(**{"aud": "llmproxy", "client_id": None, "nonce": nonce, "sid": "s1", **more})


def done(test: Any, coroutine: Any) -> Any:
    """What it comes to, at once."""
    return test.successResultOf(Deferred.fromCoroutine(coroutine))


def failed(test: Any, coroutine: Any, error: type[Exception]) -> Any:
    """What it fails with, at once."""
    return test.failureResultOf(Deferred.fromCoroutine(coroutine), error).value
