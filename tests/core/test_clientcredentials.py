"""Tests for L{llmproxy.core.clientcredentials}."""

from __future__ import annotations

from itertools import product

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.clientcredentials import ClientCredentialMissing, check_brought, credentials_for
from llmproxy.core.tokens import secret_of
from llmproxy.errors import AmbiguousCredentials
from llmproxy.message import Api, ApiRequest, Field
from llmproxy.origin import CredentialPlace, OwnKey
from tests.middleware.fakes import PRINCIPAL, a_request, an_api, an_upstream
from tests.tables import row

from ..properties import examples

TOKEN = b"sk-AAAAAAAAAAAAAAAAAAAAAA"
OTHER = b"sk-BBBBBBBBBBBBBBBBBBBBBB"
THEIRS = b"sk-ant-oat01-" + b"x" * 40
FOREIGN = b"eyJ0eXAi.eyJhdWQi.c2ln"

PLACES = {
    "authorization": CredentialPlace(),
    "x-api-key": CredentialPlace("header", b"x-api-key", b""),
    "x-goog-api-key": CredentialPlace("header", b"x-goog-api-key", b""),
    "x-vendor-key": CredentialPlace("header", b"X-Vendor-Key", b"Key "),
    "key": CredentialPlace("query", b"key", b""),
}


def an_api_of(place: CredentialPlace) -> Api:
    return an_api(upstreams=(an_upstream(name="own", key_source="client", credential=place),))


def asked(api: Api, placed: list[tuple[str, bytes]]) -> ApiRequest:
    """@param placed: what stands in which place, by its name; C{token} is our own field, C{offer} a subprotocol."""
    fields: list[Field] = []
    query = []
    for name, value in placed:
        if name == "key":
            query.append(b"key=" + value)
        elif name == "token":
            fields.append((b"X-LLMProxy-Token", value))
        elif name == "offer":
            fields.append((b"Sec-WebSocket-Protocol", b"realtime, openai-insecure-api-key." + value))
        else:
            fields.append((PLACES[name].name, PLACES[name].prefix + value))
    request = a_request(target=b"/v1/x?" + b"&".join(query), fields=fields, api=api)
    request.upgrade = b"websocket"
    return request


def brought(api: Api, *placed: tuple[str, bytes]) -> str:
    return credentials_for(asked(api, list(placed))).get(api.upstreams[0], "")


class PlaceTests(SynchronousTestCase):
    def test_places(self) -> None:
        """
        Our token in any place, a credential in any: it is taken only where both are not in one place, and only from
        that of the upstream.
        """
        for wanted, ours, theirs in product(PLACES, (*PLACES, "token", "offer"), (*PLACES, "offer")):
            if ours == theirs or (ours == "x-vendor-key" and wanted != ours):
                # No place for our token where the API does not have it.
                continue
            with row(wanted, ours, theirs):
                api = an_api_of(PLACES[wanted])
                expected = THEIRS.decode() if theirs == wanted else ""
                for placed in ([(ours, TOKEN), (theirs, THEIRS)], [(theirs, THEIRS), (ours, TOKEN)]):
                    request = asked(api, placed)
                    self.assertEqual(credentials_for(request).get(api.upstreams[0], ""), expected)
                    names = {"key_fields": api.key_fields, "query_keys": api.query_keys}
                    found = secret_of(request.fields, request.target, offers=True, **names)
                    self.assertEqual(found, TOKEN)

    def test_our_token(self) -> None:
        """What is a token of ours, or holds one, is never taken, in whatever spelling."""
        spellings = (
            TOKEN,
            b" " + TOKEN,
            TOKEN + b" ",
            b"user:" + TOKEN,
            TOKEN + b", Bearer " + FOREIGN,
            FOREIGN + b" " + TOKEN,
            b"Bearer " + TOKEN,
            TOKEN + b"\t",
        )
        for name, value in product(PLACES, spellings):
            with row(name, value):
                self.assertEqual(brought(an_api_of(PLACES[name]), ("token", TOKEN), (name, value)), "")
        api = an_api_of(PLACES["key"])
        self.assertEqual(brought(api, ("token", TOKEN), ("key", b"%73k%2D" + TOKEN[3:])), "")

    def test_another_token_of_ours(self) -> None:
        """Two tokens in one request are nobody's, and neither goes on."""
        for name in PLACES:
            with self.assertRaises(AmbiguousCredentials, msg=name):
                brought(an_api_of(PLACES[name]), ("token", TOKEN), (name, OTHER))

    def test_application_tokens(self) -> None:
        """Tokens of another form, as an application's own, are found by what was shown as the token."""
        api = an_api_of(PLACES["authorization"])
        self.assertEqual(brought(api, ("token", b"app token"), ("authorization", b"app token")), "")
        self.assertEqual(brought(api, ("token", b"app-1"), ("authorization", b"x app-1 y")), "")
        self.assertEqual(brought(api, ("authorization", FOREIGN), ("token", b"app-1")), FOREIGN.decode())

    def test_in_the_same_place(self) -> None:
        """A place may be given twice, with our token and with another credential; two of those are too many."""
        for name in PLACES:
            with row(name):
                api = an_api_of(PLACES[name])
                self.assertEqual(brought(api, (name, TOKEN), (name, FOREIGN)), FOREIGN.decode())
                self.assertEqual(brought(api, (name, TOKEN), (name, FOREIGN), (name, FOREIGN)), FOREIGN.decode())
                with self.assertRaises(AmbiguousCredentials):
                    brought(api, ("token", TOKEN), (name, FOREIGN), (name, THEIRS))

    def test_unusable(self) -> None:
        """What is empty, has another scheme or could break out of its line is none."""
        for name, value in product(PLACES, (b"", b"  ", b"a\x00b", b"caf\xc3\xa9", b"a\nb", b"a\x7fb")):
            with row(name, value):
                self.assertEqual(brought(an_api_of(PLACES[name]), ("token", TOKEN), (name, value)), "")
        api = an_api_of(PLACES["authorization"])
        for value, expected in (
            (b"Basic dTpw", ""),
            (b"bearer x-1", "x-1"),
            (b"BEARER   x-1 ", "x-1"),
            (b"x-1", ""),
            (b"Bearer", ""),
        ):
            with row(value):
                request = a_request(fields=[(b"X-LLMProxy-Token", TOKEN), (b"AUTHORIZATION", value)], api=api)
                self.assertEqual(credentials_for(request).get(api.upstreams[0], ""), expected)


class PropertyTests(SynchronousTestCase):
    @given(st.lists(st.tuples(st.sampled_from([*PLACES, "token", "offer"]), st.sampled_from([TOKEN, FOREIGN, THEIRS]))))
    @settings(max_examples=examples(300), deadline=None)
    def test_never_a_token(self, placed: list[tuple[str, bytes]]) -> None:
        """However a request is made up: what is taken is what stood in the place of the upstream, and no token."""
        for name in PLACES:
            api = an_api_of(PLACES[name])
            try:
                found = brought(api, *placed)
            except AmbiguousCredentials:
                continue
            there = {value.decode() for each, value in placed if each == name}
            self.assertIn(found, {"", *there} - {TOKEN.decode()}, (name, placed))


class CheckTests(SynchronousTestCase):
    def test_missing(self) -> None:
        """Without one an API is asked only if another upstream of it can be."""
        client = an_upstream(name="c", key_source="client", own_key=OwnKey("never", None))
        keyed = an_upstream(name="k", own_key=OwnKey("key", None))
        open_ = an_upstream(name="o", credential=CredentialPlace("none", b"", b""))
        keyless = evolve(PRINCIPAL.project, api_keys={})
        for upstreams, project, missing in (
            ((client,), PRINCIPAL.project, True),
            ((client,), keyless, True),
            ((client, keyed), keyless, False),
            ((client, open_), keyless, False),
            ((client, an_upstream(name="p")), keyless, True),
            ((client, an_upstream(name="p")), PRINCIPAL.project, False),
            ((keyed,), keyless, False),
        ):
            api = an_api(upstreams=upstreams)
            with row(upstreams, project):
                if missing:
                    error = self.assertRaises(ClientCredentialMissing, check_brought, api, project, {})
                    self.assertEqual(error.status, 401)
                    self.assertIn("Authorization", error.description)
                else:
                    check_brought(api, project, {})
                check_brought(api, project, {client: "x"})
