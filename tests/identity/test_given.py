"""Tests for L{llmproxy.identity.given}."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.people.assertions import AssertionFault
from llmproxy.identity.given import Given, completed

from .world import Idp, done, failed


class GivenTests(SynchronousTestCase):
    def test_of(self) -> None:
        """What it does not have, or not as a text, is empty; no secret is shown."""
        found = Given.of({"id_token": "canary", "access_token": 5, "token_type": "Bearer"})
        self.assertEqual(found, Given("canary", "", ""))
        self.assertNotIn("canary", repr(Given("canary", "canary", "canary")))

    def test_completed(self) -> None:
        """What is missing is asked for once, of the same person; what is there is not asked for."""
        idp = Idp()
        whole = idp.claims()
        provider = idp.provider()
        self.assertEqual(done(self, completed(provider, whole, "at")), whole)
        self.assertNotIn("GET /me", idp.asked)
        idp.answers["/me"] = {"sub": "u1", "groups": ["eng"], "name": "Other"}
        part = idp.claims(groups=None)
        found = done(self, completed(provider, part, "at"))
        self.assertEqual((found["groups"], found["name"]), (["eng"], "Ann"))
        self.assertEqual(done(self, completed(provider, part, "")), part)
        null = done(self, completed(provider, {**part, "groups": None, "email": None}, "at"))
        self.assertEqual((null["groups"], null["email"]), (["eng"], None))
        idp.answers["/me"] = {"sub": "u2", "groups": ["admins"]}
        failed(self, completed(provider, part, "at"), AssertionFault)

    def test_parts(self) -> None:
        """Of a path of which the ID token has the beginning, the rest is taken from what is asked for."""
        idp = Idp()
        names = evolve(idp.provider().config.claims, groups="realm_access.roles")
        provider = idp.provider(claims=names)
        idp.answers["/me"] = {"sub": "u1", "realm_access": {"roles": ["eng"]}}
        found = done(self, completed(provider, idp.claims(realm_access={"other": 1}), "at"))
        self.assertEqual((provider.asserted(found).groups, found["realm_access"]), (("eng",), {"other": 1}))
