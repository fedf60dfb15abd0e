"""Tests for L{llmproxy.middleware.credential}."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import UpstreamAuthError
from llmproxy.message import ApiRequest, Field, Principal
from llmproxy.middleware.credential import Credential, rebuilt, with_credential
from llmproxy.origin import CredentialPlace

from ..properties import examples
from ..tables import row
from .fakes import KEY, PRINCIPAL, SECRET, Inner, a_request, an_api, an_upstream

BEARER = CredentialPlace()
ANTHROPIC = CredentialPlace("header", b"x-api-key", b"")
QUERY = CredentialPlace("query", b"key", b"")
PROJECTS = KEY.encode()


def sent(place: CredentialPlace, fields: list[Field], target: bytes = b"/v1", key: str = KEY) -> ApiRequest:
    inner = Inner()
    principal = Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, api_keys={"openai": (key,)}))
    request = a_request(target=target, fields=fields, api=an_api(credential=place), principal=principal)
    Credential().respond(request, inner)
    return inner.requests[0]


class FieldTests(SynchronousTestCase):
    def test_in_place(self) -> None:
        """The project's key stands where the client's stood; the other fields keep order, case and repeats."""
        fields = [(b"A", b"1"), (b"authorization", b"Bearer " + SECRET), (b"B", b"2"), (b"b", b"3"), (b"A", b"1")]
        self.assertEqual(
            sent(BEARER, fields).fields,
            [(b"A", b"1"), (b"Authorization", b"Bearer " + PROJECTS), (b"B", b"2"), (b"b", b"3"), (b"A", b"1")],
        )

    def test_another_place(self) -> None:
        """The key goes where the API wants it, wherever the client's came."""
        self.assertEqual(
            sent(ANTHROPIC, [(b"Authorization", b"Bearer " + SECRET), (b"B", b"2")]).fields,
            [(b"x-api-key", PROJECTS), (b"B", b"2")],
        )
        self.assertEqual(sent(ANTHROPIC, [(b"B", b"2")]).fields, [(b"B", b"2"), (b"x-api-key", PROJECTS)])

    def test_no_credential_passes(self) -> None:
        """None of the places in which a key could be smuggled is left."""
        everywhere = [
            (b"AUTHORIZATION", b"Basic x"),
            (b"Authorization", b"Bearer mine"),
            (b"X-API-Key", b"mine"),
            (b"X-LLMProxy-Token", b"mine"),
            (b"api-key", b"mine"),
            (b"X-Goog-Api-Key", b"mine"),
            (b"X-Custom-Key", b"mine"),
            (b"Cookie", b"session=1"),
        ]
        place = CredentialPlace("header", b"x-custom-key", b"Key ")
        self.assertEqual(
            sent(place, everywhere).fields, [(b"x-custom-key", b"Key " + PROJECTS), (b"Cookie", b"session=1")]
        )

    def test_for_another_upstream(self) -> None:
        """What a client has put where one upstream of an API wants its key does not reach another one."""
        custom = an_upstream(credential=CredentialPlace("header", b"X-Custom", b""))
        api = an_api(upstreams=(an_upstream(), custom))
        for upstream, expected in (
            (api.upstreams[0], (b"Authorization", b"Bearer " + PROJECTS)),
            (custom, (b"X-Custom", PROJECTS)),
        ):
            inner = Inner()
            request = a_request(
                fields=[(b"x-custom", b"mine"), (b"Authorization", b"Bearer y")], api=api, principal=PRINCIPAL
            )
            request.upstream = upstream
            Credential().respond(request, inner)
            self.assertEqual(inner.requests[0].fields, [expected], upstream)

    def test_offered_with_a_websocket(self) -> None:
        """The token of a browser is taken out of what it offers; the project's key has its own place."""
        offer = b"realtime, openai-insecure-api-key." + SECRET + b", openai-beta.realtime-v1"
        self.assertEqual(
            sent(BEARER, [(b"Sec-WebSocket-Protocol", offer), (b"B", b"2")]).fields,
            [
                (b"Sec-WebSocket-Protocol", b"realtime, openai-beta.realtime-v1"),
                (b"B", b"2"),
                (b"Authorization", b"Bearer " + PROJECTS),
            ],
        )
        alone = [(b"Sec-WebSocket-Protocol", b"openai-insecure-api-key." + SECRET), (b"B", b"2")]
        self.assertEqual(sent(BEARER, alone).fields, [(b"Authorization", b"Bearer " + PROJECTS), (b"B", b"2")])
        plain = (b"Sec-WebSocket-Protocol", b"graphql-ws,x")
        self.assertIn(plain, sent(BEARER, [plain, (b"Authorization", b"Bearer " + SECRET)]).fields)

    def test_client_list_untouched(self) -> None:
        """The fields as they came are still there for whoever holds them."""
        fields = [(b"Authorization", b"Bearer " + SECRET)]
        sent(BEARER, fields)
        self.assertEqual(fields, [(b"Authorization", b"Bearer " + SECRET)])


class QueryTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The client's key leaves the query, the other bytes stay, the project's is appended where it belongs."""
        table = (
            (BEARER, b"/v1", b"/v1"),
            (BEARER, b"/v1?", b"/v1?"),
            (BEARER, b"/v1?a=1&&b=%2F&a=2", b"/v1?a=1&&b=%2F&a=2"),
            (BEARER, b"/v1?key=" + SECRET, b"/v1"),
            (BEARER, b"/v1?a=1&key=" + SECRET + b"&b=2&key=y", b"/v1?a=1&b=2&key=y"),
            (BEARER, b"/v1?%6bey=%73k-" + SECRET[3:] + b"&a=1", b"/v1?a=1"),
            (BEARER, b"/v1?key=cursor-1", b"/v1?key=cursor-1"),
            (BEARER, b"/v1?key", b"/v1?key"),
            (BEARER, b"/v1?monkey=1&keys=2", b"/v1?monkey=1&keys=2"),
            (QUERY, b"/v1", b"/v1?key=" + PROJECTS),
            (QUERY, b"/v1?", b"/v1?key=" + PROJECTS),
            (QUERY, b"/v1?key=x&alt=sse", b"/v1?alt=sse&key=" + PROJECTS),
            (CredentialPlace("query", b"api_key", b""), b"/?api_key=x&key=y", b"/?api_key=" + PROJECTS),
        )
        for place, target, expected in table:
            self.assertEqual(sent(place, [], target).target, expected, target)

    def test_quoted(self) -> None:
        """A key cannot end its parameter."""
        self.assertEqual(sent(QUERY, [], b"/v1", "a&b=c d").target, b"/v1?key=a%26b%3Dc%20d")

    def test_not_in_fields(self) -> None:
        """A key that goes into the query goes nowhere else."""
        self.assertEqual(sent(QUERY, [(b"x-goog-api-key", SECRET)]).fields, [])

    @given(st.text("ab=&%26/?", max_size=12).map(str.encode))
    @settings(max_examples=examples(50), deadline=None)
    def test_any_query(self, query: bytes) -> None:
        """A query without a key goes on as it came."""
        self.assertEqual(sent(BEARER, [], b"/v1?" + query).target, b"/v1?" + query)


class KeyTests(SynchronousTestCase):
    def test_none(self) -> None:
        """A server without keys gets none: not the client's token, and not a key that the project holds."""
        fields = [(b"Authorization", b"Bearer " + SECRET), (b"X-API-Key", SECRET)]
        request = sent(CredentialPlace("none", b"", b""), fields, b"/v1?key=" + SECRET)
        self.assertEqual((request.fields, request.target), ([], b"/v1"))

    def test_unusable(self) -> None:
        """A project without a usable key is told apart from a refused caller, and nothing is sent."""
        for key in ("", "a\r\nX-Evil: 1", "schlüssel"):
            with row(key):
                error = self.assertRaises(UpstreamAuthError, sent, BEARER, [], b"/v1", key)
            self.assertEqual((error.status, error.code), (503, "upstream_auth_error"), key)
            if key:
                self.assertNotIn(key, f"{error!r} {error.description}")


class EquivalenceTests(SynchronousTestCase):
    NAMES = (b"A", b"authorization", b"X-API-Key", b"api-key", b"x-custom", b"Sec-WebSocket-Protocol")
    VALUES = (b"Bearer x", b"realtime, openai-insecure-api-key.x", b"openai-insecure-api-key.x")
    PLACES = (BEARER, ANTHROPIC, QUERY, CredentialPlace("header", b"X-Custom", b""), CredentialPlace("none", b"", b""))

    @given(
        st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=5),
        st.sampled_from((*PLACES, CredentialPlace("query", b"api-key", b""))),
        st.sampled_from(PLACES),
    )
    @settings(max_examples=examples(200), deadline=None)
    def test_short_way(self, fields: list[Field], place: CredentialPlace, other: CredentialPlace) -> None:
        """The short way of requests with one credential gives what the long one does: at most one of them."""
        upstreams = (an_upstream(credential=place), an_upstream(credential=other))
        names = an_api(upstreams=upstreams).key_fields
        short = with_credential(fields, place, b"k", names)
        self.assertEqual(short, rebuilt(fields, place, b"k", names))
        places = {name.lower() for name in self.NAMES[1:5]} & ({b"authorization", b"x-api-key", b"api-key"} | names)
        self.assertLessEqual(sum(name.lower() in places for name, _ in short), 1)
