"""Tests for L{llmproxy.core.tokens}."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from hashlib import sha256

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.tokens import (
    JWT,
    LONGEST_JWT,
    as_changed,
    as_held,
    fault_of,
    generate,
    hint,
    is_jwt,
    is_well_formed,
    may_be_token,
    secret_of,
    token_hash,
)
from llmproxy.errors import AmbiguousCredentials
from llmproxy.message import Field, Project, Token

from ..tables import row

SECRET = b"sk-AAAAAAAAAAAAAAAAAAAAAA"
OTHER = b"sk-BBBBBBBBBBBBBBBBBBBBBB"


class SecretTests(SynchronousTestCase):
    def test_generated(self) -> None:
        """New tokens are unlike each other and look as the reference's do."""
        secrets = {generate(os.urandom) for _ in range(100)}
        self.assertEqual(len(secrets), 100)
        for secret in secrets:
            self.assertTrue(re.fullmatch(r"sk-[A-Za-z0-9_-]{22}", secret), secret)
            self.assertTrue(is_well_formed(secret.encode()), secret)

    def test_all_random(self) -> None:
        """All 128 bits come from the source of randomness."""
        asked: list[int] = []

        def random(count: int) -> bytes:
            asked.append(count)
            return b"\xff" * count

        self.assertEqual(generate(random), "sk-_____________________w")
        self.assertEqual(asked, [16])

    def test_malformed(self) -> None:
        """Wrong prefixes, lengths and characters are seen without asking anyone."""
        for secret in (
            b"",
            b"sk-",
            SECRET[:-1],
            SECRET + b"A",
            b"pk-" + SECRET[3:],
            SECRET[:-1] + b"+",
            SECRET[:-1] + b"\n",
            SECRET[:-1] + b"\xff",
        ):
            self.assertFalse(is_well_formed(secret), secret)

    def test_hash(self) -> None:
        """What is stored is the SHA-256 in lower-case hexadecimal."""
        self.assertEqual(token_hash(SECRET), sha256(SECRET).hexdigest())

    def test_hint(self) -> None:
        """A list shows little of a token."""
        self.assertEqual(hint("sk-abcdEFGHIJKLMNOPQRSTUV"), "sk-abcd" + "*" * 18)


class SecretOfTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The token is found wherever an SDK puts its key."""
        bearer: Field = (b"Authorization", b"Bearer " + SECRET)
        table: tuple[tuple[list[Field], bytes, bytes], ...] = (
            ([bearer], b"/", SECRET),
            ([(b"authorization", b"bearer " + SECRET)], b"/", SECRET),
            ([(b"AUTHORIZATION", b"BEARER   " + SECRET)], b"/", SECRET),
            ([(b"x-api-key", SECRET)], b"/", SECRET),
            ([(b"Api-Key", SECRET)], b"/", SECRET),
            ([(b"x-goog-api-key", SECRET)], b"/", SECRET),
            ([], b"/v1?alt=sse&key=" + SECRET, SECRET),
            ([], b"/v1?%6Bey=sk%2D" + SECRET[3:], SECRET),
            ([(b"Authorization", b"Bearer "), (b"x-api-key", SECRET)], b"/", SECRET),
            ([(b"Authorization", b"Basic eDp5")], b"/", b""),
            ([(b"Authorization", SECRET)], b"/", b""),
            ([(b"Authorization", b"Bearer")], b"/", b""),
            ([], b"/v1?monkey=" + SECRET, b""),
            ([], b"/key=" + SECRET, b""),
            ([(b"Cookie", b"key=" + SECRET)], b"/", b""),
        )
        for fields, target, expected in table:
            self.assertEqual(secret_of(fields, target), expected, (fields, target))

    PLACES: tuple[Callable[[bytes], tuple[list[Field], bytes]], ...] = (
        lambda secret: ([(b"Authorization", b"Bearer " + secret)], b""),
        lambda secret: ([(b"x-api-key", secret)], b""),
        lambda secret: ([(b"Api-Key", secret)], b""),
        lambda secret: ([(b"x-goog-api-key", secret)], b""),
        lambda secret: ([(b"X-LLMProxy-Token", secret)], b""),
        lambda secret: ([], b"&key=" + secret),
        lambda secret: ([(b"Sec-WebSocket-Protocol", b"realtime, openai-insecure-api-key." + secret)], b""),
    )

    def found(self, *placed: tuple[list[Field], bytes]) -> bytes:
        fields = [field for fields, _ in placed for field in fields]
        return secret_of(fields, b"/v1?a=1" + b"".join(query for _, query in placed), offers=True)

    def test_where_the_api_has_its_key(self) -> None:
        """Where an API wants its key, programs made for it send the token, with a scheme before it or without."""
        names = frozenset({b"x-vendor-key", b"authorization"})
        bearer: Field = (b"Authorization", b"Bearer " + SECRET)
        for fields, expected in (
            ([(b"X-Vendor-Key", SECRET)], SECRET),
            ([(b"x-vendor-key", b"Key " + SECRET)], SECRET),
            ([(b"x-vendor-key", b"")], b""),
            ([(b"x-vendor-keys", SECRET)], b""),
            ([(b"x-vendor-key", b"theirs"), bearer], SECRET),
            ([bearer, (b"x-vendor-key", b"Key " + SECRET)], SECRET),
            ([(b"x-vendor-key", b"theirs")], b"theirs"),
        ):
            self.assertEqual(secret_of(fields, b"/", key_fields=names), expected, fields)
        self.assertEqual(secret_of([(b"X-Vendor-Key", SECRET)], b"/"), b"")
        two = [bearer, (b"x-vendor-key", SECRET[:-1] + b"x")]
        self.assertRaises(AmbiguousCredentials, secret_of, two, b"/", key_fields=names)

    def test_where_the_api_has_its_key_in_the_query(self) -> None:
        """The same for a parameter of the query, whose name is compared as it is taken away."""
        names = frozenset({b"api-key"})
        for query, expected in (
            (b"api-key=" + SECRET, SECRET),
            (b"a=1&API%2DKey=" + SECRET, SECRET),
            (b"api-key=theirs&key=" + SECRET, SECRET),
            (b"api_key=" + SECRET, b""),
        ):
            self.assertEqual(secret_of([], b"/v1?" + query, query_keys=names), expected, query)
        self.assertEqual(secret_of([], b"/v1?api-key=" + SECRET), b"")

    def test_beside_a_foreign_key(self) -> None:
        """The place that holds a token of ours decides, in whichever order the two come."""
        foreign = (b"sk-ant-oat01-" + b"x" * 90, b"eyJ0eXAi.eyJhdWQi.c2ln", b"AIza" + b"y" * 35, SECRET + b"x", b"-")
        for ours in self.PLACES:
            for other in self.PLACES:
                for key in foreign:
                    self.assertEqual(self.found(ours(SECRET), other(key)), SECRET, key)
                    self.assertEqual(self.found(other(key), ours(SECRET)), SECRET, key)

    def test_ambiguous(self) -> None:
        """Two tokens that could both be ours are none; the same one twice is one."""
        for one in self.PLACES:
            for other in self.PLACES:
                self.assertEqual(self.found(one(SECRET), other(SECRET)), SECRET, other)
                with row(one, other):
                    error = self.assertRaises(AmbiguousCredentials, self.found, one(SECRET), other(OTHER))
                self.assertEqual((error.status, error.code), (401, "ambiguous_credentials"), other)
                self.assertNotIn("sk-", f"{error!r} {error.description} {error.fields}")

    def test_none_of_ours(self) -> None:
        """What is sent and cannot be ours is told apart from nothing."""
        for one in self.PLACES:
            for other in self.PLACES:
                self.assertIn(self.found(one(b"AIza-1"), other(b"AIza-2")), (b"AIza-1", b"AIza-2"))


class FaultTests(SynchronousTestCase):
    token = Token("t-1", "00", "sk-…", "p-1", expires_at=1000.0)
    project = Project("p-1", "one", {"openai": ("key",)})

    def code(self, token: Token, project: Project, now: float) -> str:
        fault = fault_of(token, project, now)
        return "" if fault is None else f"{fault.status} {fault.code}"

    def test_table(self) -> None:
        """The faults come in the reference's order, with its statuses and codes."""
        token, project = self.token, self.project
        revoked = evolve(token, is_active=False)
        inactive = evolve(project, is_active=False)
        table = (
            (token, project, 999.9, ""),
            (evolve(token, expires_at=None), project, 1e12, ""),
            (token, project, 1000.0, "401 token_expired"),
            (revoked, project, 0.0, "401 token_inactive"),
            (revoked, inactive, 2000.0, "401 token_inactive"),
            (token, inactive, 2000.0, "401 token_expired"),
            (token, inactive, 0.0, "403 project_inactive"),
        )
        for token, project, now, expected in table:
            self.assertEqual(self.code(token, project, now), expected, (token, project, now))

    def test_challenge(self) -> None:
        """Whoever is refused for the token is told how to authenticate."""
        fault = fault_of(evolve(self.token, is_active=False), self.project, 0.0)
        assert fault is not None
        self.assertEqual(fault.fields, ((b"WWW-Authenticate", b'Bearer realm="llmproxy", error="invalid_token"'),))


class HeldTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Of two secrets the present one is the token's, the other ends with the overlap, and not after the token."""
        token = Token("t-1", "b", "sk-…", "p-1", expires_at=1000.0, previous_hash="a", previous_until=500.0)
        for made, held_by, expires_at in (
            (token, "b", 1000.0),
            (token, "a", 500.0),
            (evolve(token, previous_until=2000.0), "a", 1000.0),
            (evolve(token, expires_at=None), "a", 500.0),
        ):
            held = as_held(made, held_by)
            assert held is not None
            self.assertEqual(
                (held.id, held.token_hash, held.expires_at), ("t-1", held_by, expires_at), (made, held_by, expires_at)
            )
        self.assertIsNone(as_held(token, "c"))
        self.assertIsNone(as_held(evolve(token, previous_hash=None), "a"))


class JwtTests(SynchronousTestCase):
    """Access tokens of identity providers, which have another form."""

    JWT = b"eyJhbGciOiJSUzI1NiJ9.e30.AA"

    def test_form(self) -> None:
        ours = b"sk-" + b"a" * 22
        for secret, jwt, may_be in (
            (self.JWT, True, True),
            (b"eyJ..", True, True),
            (b"eyJ.", False, False),
            (b"eyJ.a.b.c", False, False),
            (b"x" + self.JWT, False, False),
            (b"eyJ.." + b"a" * LONGEST_JWT, False, False),
            (ours, False, True),
            (b"sk-short", False, False),
            (b"", False, False),
        ):
            with row(secret[:40]):
                self.assertEqual((is_jwt(secret), may_be_token(secret)), (jwt, may_be))

    def test_beside_a_foreign_key(self) -> None:
        """It is found wherever it stands, beside a key for the provider; one of ours goes first."""
        ours = b"sk-" + b"a" * 22
        for fields, expected in (
            ([(b"authorization", b"Bearer " + self.JWT), (b"x-api-key", b"dummy")], self.JWT),
            ([(b"authorization", b"Bearer dummy"), (b"x-api-key", self.JWT)], self.JWT),
            ([(b"authorization", b"Bearer " + self.JWT), (b"x-llmproxy-token", b"eyJ.b.c")], b"eyJ.b.c"),
            ([(b"authorization", b"Bearer " + self.JWT), (b"x-api-key", ours)], ours),
        ):
            with row(fields):
                self.assertEqual(secret_of(fields, b"/v1"), expected)

    def test_offered(self) -> None:
        """Among the subprotocols that a browser's WebSocket offers, and in a query."""
        offer = [(b"sec-websocket-protocol", b"realtime, openai-insecure-api-key." + self.JWT)]
        self.assertEqual(secret_of(offer, b"/v1", offers=True), self.JWT)
        self.assertEqual(secret_of([], b"/v1?a=b&key=" + self.JWT), self.JWT)

    def test_changed(self) -> None:
        """The token behind it may change; the access token is over when it says."""
        behind = Token("t", "h", "jwt", "p", None, kind=JWT, version=2)
        held = evolve(behind, token_hash="mine", expires_at=50.0, version=1)
        self.assertEqual(as_changed(behind, held), evolve(behind, token_hash="mine", expires_at=50.0))
        other = Token("t", "h2", "sk", "p", 90.0)
        self.assertFalse(as_changed(other, evolve(other, token_hash="h")).is_active)
        self.assertEqual(as_changed(other, evolve(other, version=0)), other)
