"""Tests for L{llmproxy.core.people.person}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.people.person import Asserted, Person, subject_key


class PersonTests(SynchronousTestCase):
    def test_key(self) -> None:
        """A person is found by issuer and subject, whatever the provider is called here; no two make one."""
        one = Asserted("corp", "https://a", "u1")
        self.assertEqual(one.subject_key, Asserted("renamed", "https://a", "u1", "new@a").subject_key)
        keys = {subject_key(*each) for each in (("https://a", "u1"), ("https://a", "u2"), ("https://au", "1"))}
        self.assertEqual(len(keys), 3)

    def test_actor(self) -> None:
        """The audit log has no name that somebody can choose, and none that an admin with a token can have."""
        person = Person("1", "k", "corp", "https://a", "u1", "management_api")
        self.assertEqual(person.actor, "corp:u1")
        self.assertEqual(Person("1", "k", "corp", "https://a", "u1", email="a@b").actor, "corp:a@b")

    def test_repr(self) -> None:
        """Claims, which may hold anything, are not shown."""
        self.assertNotIn("canary", repr(Asserted("corp", "https://a", "u1", claims={"x": "canary"})))
