"""Tokens in pages."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.pages.tokens import state_of

from ..browser import PagesTestCase, Shown

NOW = 1_700_000_000.0


class StateTests(SynchronousTestCase):
    def test_states(self) -> None:
        """A token that is revoked is not called expired, and one whose time is over not active."""
        for is_active, expires_at, state in (
            (True, None, "active"),
            (True, "2023-11-14T22:13:21Z", "active"),
            (True, "2023-11-14T22:13:20Z", "expired"),
            (False, "2023-11-14T22:13:20Z", "revoked"),
            (False, None, "revoked"),
        ):
            token = {"is_active": is_active, "expires_at": expires_at}
            self.assertEqual(state_of(token, NOW), state, token)


class TokensTests(PagesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in()
        self.project_id = self.project("team a")

    def create(self, **fields: Any) -> Shown:
        return self.send(self.visit(f"/tokens/new?project={self.project_id}"), "/tokens/new", **fields)

    def secret(self, shown: Shown) -> str:
        at = next(n for n, (_, each) in enumerate(shown.page.tags) if each.get("data-copy", "").startswith("sk-"))
        found = shown.page.tags[at][1]["data-copy"]
        assert found is not None
        return found

    def only(self) -> dict[str, Any]:
        tokens: list[dict[str, Any]] = self.ask("GET", "/tokens").json
        self.assertEqual(len(tokens), 1)
        return tokens[0]

    def test_created(self) -> None:
        """A token is created with a time in words and limits, and shown once, with lines to paste."""
        shown = self.create(name="ci", duration="10080", max_requests="500", rpm_limit="60", models="gpt-4o*")
        self.assertIn("only time that the secret is shown", shown.text)
        secret = self.secret(shown)
        self.assertEqual(self.ask("POST", "/tokens/find", {"token": secret}).json["name"], "ci")
        self.assertIn("http://proxy.example/v1", shown.body.decode())
        for name in ("curl", "Python", "Node.js", "Claude Code", "Environment"):
            self.assertIn(name, shown.text, name)
        token = self.only()
        self.assertEqual((token["max_requests"], token["rpm_limit"], token["models"]), (500, 60, ["gpt-4o*"]))
        for path in ("/tokens", f"/tokens/{token['id']}", f"/tokens/{token['id']}/edit"):
            self.assertNotIn(secret, self.visit(path).body.decode(), path)

    def test_sent_twice(self) -> None:
        """A form that is sent again, by loading its answer anew, shows the same secret and makes no other token."""
        page = self.visit(f"/tokens/new?project={self.project_id}")
        first, second = (self.send(page, "/tokens/new") for _ in "ab")
        self.assertEqual(self.secret(first), self.secret(second))
        self.only()

    def test_refused(self) -> None:
        """What is wrong stands beside its field, and nothing is made."""
        for fields, words in (
            ({"duration": "other", "duration_other": "soon"}, "Expected a duration"),
            ({"max_requests": "many"}, "Expected a whole number"),
            ({"rpm_limit": "many"}, "Expected"),
            ({"metadata": "nothing"}, "Expected lines"),
            ({"apis": "nowhere"}, "nowhere"),
        ):
            shown = self.create(**fields)
            self.assertIn(shown.status, (400, 422), fields)
            self.assertIn(words, shown.text, fields)
        self.assertEqual(self.ask("GET", "/tokens").json, [])

    def test_chosen_project(self) -> None:
        """Of one project it is that one; of several it is chosen, or searched for; an inactive one is not offered."""
        self.assertEqual(self.visit("/tokens/new").header("location"), f"/admin/tokens/new?project={self.project_id}")
        self.project("team b")
        self.assertIn("team b", self.visit("/tokens/new").text)
        self.assertNotIn("team a", self.visit("/tokens/new?search=team+b").text)
        self.ask("PATCH", f"/projects/{self.project_id}", {"is_active": False})
        self.assertNotIn("team a", self.visit("/tokens/new?search=team").text)
        self.assertIn("is inactive", self.visit(f"/tokens/new?project={self.project_id}").text)
        self.assertEqual(self.create().status, 403)

    def test_listed(self) -> None:
        """The list has the project, the state, what was used of it, and filters by all of them."""
        other = self.project("team b")
        self.token(self.project_id, name="one", max_requests=5)
        two, _ = self.token(other, name="two")
        self.ask("DELETE", f"/tokens/{two}")
        self.token(other, name="three", duration_minutes=1)
        self.clock.advance(120)
        for query, names in (
            ("", {"one", "two", "three"}),
            ("?state=active", {"one"}),
            ("?state=revoked", {"two"}),
            ("?state=expired", {"three"}),
            (f"?project={other}", {"two", "three"}),
            (f"?project={other}&state=revoked", {"two"}),
            ("?search=TH", {"three"}),
        ):
            text = self.visit("/tokens" + query).text.split("\n")
            self.assertEqual({each for each in ("one", "two", "three") if each in text}, names, query)
        shown = self.visit("/tokens")
        self.assertIn("team b", shown.text)
        self.assertIn("0 / 5", shown.text)
        self.assertIn("No token is like that", self.visit("/tokens?search=zzz").text)

    def test_found(self) -> None:
        """A secret that was found leads to its token; one of somebody else's to nothing."""
        _, secret = self.token(self.project_id)
        page = self.visit("/tokens")
        self.assertIn("This is the token", self.send(page, "/tokens/find", secret=secret.decode()).text)
        shown = self.send(page, "/tokens/find", secret="sk-nobody", then=False)
        self.assertEqual(shown.header("location"), "/admin/tokens")
        self.assertNotIn(secret.decode(), repr(self.notes.events))

    def test_edited(self) -> None:
        """What is changed is changed: name, time, limits; what is not touched stays."""
        token, _ = self.token(self.project_id, name="a", max_requests=5, rpm_limit=10, metadata={"team": "x"})
        before = self.only()
        self.send(self.visit(f"/tokens/{token}/edit"), name="b", max_requests="7")
        after = self.only()
        self.assertEqual((after["name"], after["max_requests"], after["rpm_limit"]), ("b", 7, 10))
        self.assertEqual((after["expires_at"], after["metadata"]), (before["expires_at"], {"team": "x"}))
        self.send(
            self.visit(f"/tokens/{token}/edit"), max_requests="", duration="other", duration_other="2h", metadata=""
        )
        after = self.only()
        self.assertEqual((after["max_requests"], after["metadata"]), (None, {}))
        self.assertEqual(after["expires_at"], "2023-11-15T00:13:20Z")
        shown = self.send(self.visit(f"/tokens/{token}/edit"), max_requests="x")
        self.assertEqual((shown.status, self.only()["max_requests"]), (400, None))

    def test_changed_meanwhile(self) -> None:
        """What somebody else has changed since is not overwritten unseen: it stands beside what was typed."""
        token, _ = self.token(self.project_id, name="a", metadata={"team": "x"})
        page = self.visit(f"/tokens/{token}/edit")
        self.ask("PATCH", f"/tokens/{token}", {"name": "theirs", "metadata": {"team": "y"}})
        shown = self.send(page, name="mine")
        self.assertEqual((shown.status, self.only()["name"]), (412, "theirs"))
        for words in ("It is theirs now.", "It is team = y now."):
            self.assertIn(words, shown.text)

    def test_activated(self) -> None:
        """Who revokes a token and activates it again has it with the limits that it had."""
        token, _ = self.token(self.project_id, max_requests=5)
        page = self.visit(f"/tokens/{token}/revoke")
        self.assertIn("Revoke 1 token", page.text)
        shown = self.send(page)
        self.assertIn("Revoked", shown.text)
        self.assertFalse(self.only()["is_active"])
        self.send(shown, f"/tokens/{token}/activate")
        self.assertEqual((self.only()["is_active"], self.only()["max_requests"]), (True, 5))

    def test_rotated(self) -> None:
        """A rotated token has another secret; the former one is good for the time that was chosen."""
        token, secret = self.token(self.project_id)
        shown = self.send(self.visit(f"/tokens/{token}/rotate"), overlap_seconds="300")
        self.assertNotEqual(self.secret(shown), secret.decode())
        self.assertIn("Former secret", shown.text)
        self.assertEqual(self.only()["previous_expires_at"], "2023-11-14T22:18:20.250000Z")
        self.assertEqual(self.ask("POST", "/tokens/find", {"token": secret.decode()}).json["id"], token)

    def test_budget(self) -> None:
        """What a token spends can be counted anew."""
        token, _ = self.token(self.project_id, max_budget="5")
        shown = self.visit(f"/tokens/{token}")
        self.assertIn("counted anew", self.send(shown, f"/tokens/{token}/reset-budget").text)
        self.assertIn("budget_reset_at", self.only())

    def test_auditor(self) -> None:
        """Who only looks sees tokens, and no way to change them."""
        token, _ = self.token(self.project_id)
        self.cookies.clear()
        self.sign_in(self.admin("auditor"))
        shown = self.visit(f"/tokens/{token}")
        for words in ("Revoke", "Rotate", "Edit"):
            self.assertNotIn(words, shown.text, words)
        self.assertEqual(self.visit(f"/tokens/{token}/revoke").status, 403)
