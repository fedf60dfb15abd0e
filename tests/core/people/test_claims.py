"""Tests for L{llmproxy.core.people.claims}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.people.claims import ClaimNames, UnusableClaims, asserted_of, claim, texts
from llmproxy.core.people.person import LONGEST_NAME, MOST_GROUPS, Asserted

from ...tables import row

ISSUER = "https://id.example.com"


def asserted(claims: dict[str, Any], names: ClaimNames | None = None, trust_email: bool = False) -> Asserted:
    return asserted_of(claims, names or ClaimNames(), provider="corp", issuer=ISSUER, trust_email=trust_email)


class ClaimTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A name is a claim, or a path to one; the claim itself comes first."""
        claims = {"a": {"b": 1, "c": {"d": [2]}}, "a.b": 3, "https://x.org/g": ["z"], "n": None}
        for name, value in (
            ("a.b", 3),
            ("a.c.d", [2]),
            ("https://x.org/g", ["z"]),
            ("n", None),
            ("a.x", None),
            ("a.b.c", None),
            ("", None),
        ):
            self.assertEqual(claim(claims, name), value, name)

    def test_texts(self) -> None:
        """Texts by themselves or in a list; nothing that could be taken for one."""
        for value, found in (
            ("a", ("a",)),
            (["a", 1, "", None, "b"], ("a", "b")),
            (7, ("7",)),
            (True, ()),
            (None, ()),
            ({"a": 1}, ()),
            ("", ()),
        ):
            self.assertEqual(texts(value), found, value)


class AssertedTests(SynchronousTestCase):
    def test_usual(self) -> None:
        """The standard claims of OpenID Connect."""
        claims = {"sub": "u1", "email": "A@x.org", "email_verified": True, "name": "Ann", "groups": ["a", "b", "a"]}
        found = asserted(claims)
        self.assertEqual((found.subject, found.email, found.email_verified), ("u1", "A@x.org", True))
        self.assertEqual((found.name, found.groups, found.issuer), ("Ann", ("a", "b"), ISSUER))

    def test_own_names(self) -> None:
        """Others where the provider has others: Keycloak's roles, Entra's object id."""
        names = ClaimNames("oid", "upn", "display", "realm_access.roles")
        claims = {"sub": "pairwise", "oid": "o1", "upn": "a@x", "display": "A", "realm_access": {"roles": ["r"]}}
        found = asserted(claims, names)
        self.assertEqual((found.subject, found.email, found.name, found.groups), ("oid:o1", "a@x", "A", ("r",)))

    def test_verified(self) -> None:
        """An address that the provider does not vouch for is none to go by, unless the operator says so."""
        for claims, trust, verified in (
            ({"email_verified": True}, False, True),
            ({"email_verified": "true"}, False, True),
            ({"email_verified": False}, True, False),
            ({"email_verified": "no"}, True, False),
            ({"email_verified": 1}, True, False),
            ({}, False, False),
            ({}, True, True),
        ):
            found = asserted({"sub": "u", "email": "a@x", **claims}, trust_email=trust)
            self.assertEqual(found.email_verified, verified, (claims, trust))

    def test_unusable(self) -> None:
        """Nobody is let in of whom it is not known who they are, or what groups they are in."""
        for claims, why in (
            ({}, "says no 'sub'"),
            ({"sub": ""}, "says no 'sub'"),
            ({"sub": " "}, "says no 'sub'"),
            ({"sub": ["u"]}, "says no 'sub'"),
            ({"sub": True}, "says no 'sub'"),
            ({"sub": "u" * 256}, "longer than"),
            ({"sub": "u\x00"}, "cannot be shown"),
            ({"sub": "u", "_claim_names": {"groups": "src1"}}, "more groups than"),
            ({"sub": "u", "hasgroups": True}, "more groups than"),
            ({"sub": "u", "groups": [str(each) for each in range(MOST_GROUPS + 1)]}, "more than 200 groups"),
            ({"sub": "u", "groups": [f"{each}" + "é" * 250 for each in range(150)]}, "longer than 50000 bytes"),
        ):
            with row(claims):
                error = self.assertRaises(UnusableClaims, asserted, claims)
                self.assertIn(why, str(error))

    def test_odd(self) -> None:
        """What is of no use is left out, and nothing of it is shown as it came."""
        found = asserted({"sub": 7, "name": "a\x1b[31m" + "b" * 300, "email": ["x"], "groups": ["g", 1, "h\n", ""]})
        self.assertEqual((found.subject, found.email, found.groups), ("7", "", ("g",)))
        self.assertTrue(found.name.isprintable())
        self.assertEqual(len(found.name), LONGEST_NAME)
        self.assertEqual(asserted({"sub": "u", "groups": "one"}).groups, ("one",))
        self.assertEqual(asserted({"sub": "u", "groups": {"a": 1}}).groups, ())
        self.assertEqual(asserted({"sub": "u", "preferred_username": "ann"}).name, "ann")
