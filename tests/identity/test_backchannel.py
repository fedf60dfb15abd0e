"""Tests for L{llmproxy.identity.backchannel}."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from llmproxy.core.people.assertions import LOGOUT_EVENT
from llmproxy.core.people.person import Person, subject_key
from llmproxy.errors import BadRequest, NotFound
from llmproxy.identity.backchannel import BackChannelLogout
from llmproxy.store.people import PeopleStore

from ..contracts.people_store import session
from ..management.world import RulesTestCase
from ..tables import row
from .world import ISSUER, Idp, done, failed, rsa, signed


class BackChannelTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.idp = Idp()
        self.idp.clock = self.clock
        provider = self.provider = self.idp.provider()
        store = PeopleStore(self.clock, self.database)
        self.logout = BackChannelLogout(lambda name: provider if name == "corp" else None, store, self.clock.seconds)
        person = Person("o1", subject_key(ISSUER, "u1"), "corp", ISSUER, "u1", created_at=1.0, last_seen_at=1.0)
        self.successResultOf(store.note(person))
        for name, which in (("s1", "a"), ("s2", "b")):
            made = evolve(session(name, "o1", which), expires_at=self.clock.seconds() + 3600)
            self.successResultOf(self.database.sessions.create(made))

    def token(self, **more: Any) -> str:
        said = {"aud": "llmproxy", "events": {LOGOUT_EVENT: {}}, "client_id": None, "jti": "1", "sid": "a"}
        return signed(rsa(), self.idp.claims(**{**said, **more}), typ="logout+jwt")

    def test_session(self) -> None:
        """The one session that it names, of the one person."""
        self.assertEqual(done(self, self.logout.end("corp", self.token(sub="u2"))), 0)
        self.assertEqual(done(self, self.logout.end("corp", self.token())), 1)
        # Once more, it is over already.
        self.assertEqual(done(self, self.logout.end("corp", self.token())), 0)

    def test_person(self) -> None:
        self.assertEqual(done(self, self.logout.end("corp", self.token(sid=None))), 2)

    def test_refused(self) -> None:
        """Nobody else can say so: no other key, token or provider."""
        for token in (
            self.token(aud="others"),
            self.token(iss="https://evil"),
            self.token(events=None),
            self.token(nonce="n"),
            signed(rsa("k2"), self.idp.claims(aud="llmproxy", events={LOGOUT_EVENT: {}}, sid="a")),
            "",
            "a.b.c",
        ):
            with row(token[:80]):
                failed(self, self.logout.end("corp", token), BadRequest)
        failed(self, self.logout.end("other", self.token()), NotFound)
        self.assertEqual(len(self.successResultOf(self.database.sessions.list("o1"))), 2)
