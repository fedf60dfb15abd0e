"""C{llmproxy token}."""

from __future__ import annotations

from .api import CommandTestCase


class TokenTests(CommandTestCase):
    def test_create(self) -> None:
        """The secret is printed once, and lets in; lists only show enough to recognise it."""
        project = self.project()
        made = self.invoke("token", "create", "--project-id", project, "--max-requests", "5")
        secret = made.stdout.split()[1]
        principal = self.principal(secret.encode())
        self.assertEqual((principal.token.max_requests, principal.project.id), (5, project))
        for command in (("list",), ("get", principal.token.id), ("list", "--json")):
            self.assertNotIn(secret, self.invoke("token", *command).output)

    def test_duration(self) -> None:
        """Minutes as in the reference, or with a unit; what is none is an error of use."""
        project = self.project()
        for text, seconds in (("90", 5400), ("12h", 43_200), ("30d", 2_592_000), ("120s", 120)):
            token = self.said("token", "create", "--project-id", project, "--duration", text)
            stored = self.successResultOf(self.database.tokens.get(token["id"]))
            assert stored is not None and stored.expires_at is not None
            self.assertEqual(stored.expires_at - self.clock.seconds(), seconds, text)
        for text in ("soon", "-1", "59s", "0", "1x"):
            result = self.invoke("token", "create", "--project-id", project, "--duration", text)
            self.assertEqual(result.exit_code, 2, text)

    def test_update(self) -> None:
        """The limit is raised or lifted, the token let in or not."""
        token, _ = self.token(self.project(), max_requests=3)
        self.assertEqual(self.said("token", "update", token, "--max-requests", "7")["max_requests"], 7)
        self.assertIsNone(self.said("token", "update", token, "--max-requests", "unlimited")["max_requests"])
        self.assertFalse(self.said("token", "update", token, "--inactive")["is_active"])
        self.assertEqual(self.invoke("token", "update", token).exit_code, 2)
        self.assertEqual(self.invoke("token", "update", token, "--max-requests", "many").exit_code, 2)

    def test_name_and_metadata(self) -> None:
        """What a token is for can be noted, found again, and taken away."""
        project = self.project()
        made = self.said("token", "create", "--project-id", project, "--name", "ci", "--metadata", "team=a")
        self.assertEqual(self.said("token", "get", made["id"])["metadata"], {"team": "a"})
        self.assertEqual([each["id"] for each in self.said("token", "list", "--name", "ci")], [made["id"]])
        self.assertIn("team=a", self.invoke("token", "get", made["id"]).stdout)
        self.assertIsNone(self.said("token", "update", made["id"], "--name", "")["name"])
        self.assertEqual(self.invoke("token", "update", made["id"], "--metadata", "x").exit_code, 2)

    def test_expiry(self) -> None:
        """The end of a token can be moved, as the server allows."""
        token, _ = self.token(self.project())
        moved = self.said("token", "update", token, "--expires", "2023-12-01T00:00:00Z")
        self.assertEqual(moved["expires_at"], "2023-12-01T00:00:00Z")
        refused = self.invoke("token", "update", token, "--expires", "2020-01-01T00:00:00Z")
        self.assertEqual((refused.exit_code, "in the past" in refused.stderr), (1, True))

    def test_rotate(self) -> None:
        """A new secret, shown once; the old one stays good as long as was said."""
        token, old = self.token(self.project())
        made = self.invoke("token", "rotate", token, "--overlap", "2h", "--duration", "1d")
        new = made.stdout.split()[1].encode()
        self.assertEqual((self.principal(new).token.id, self.principal(old).token.id), (token, token))
        self.assertIn("Old secret ends", made.stdout)
        self.assertEqual(self.invoke("token", "rotate", token, "--overlap", "soon").exit_code, 2)
        self.assertEqual(self.invoke("token", "rotate", "nope").exit_code, 3)

    def test_filters(self) -> None:
        """Those that are let in, those that were revoked, those whose time is over."""
        project = self.project()
        kept, revoked = self.token(project)[0], self.token(project)[0]
        self.invoke("token", "revoke", revoked)
        for options, ids in (
            (("--active",), [kept]),
            (("--revoked",), [revoked]),
            (("--expired",), []),
            (("--active", "--not-expired"), [kept]),
        ):
            self.assertEqual([each["id"] for each in self.said("token", "list", *options)], ids, options)

    def test_revoke(self) -> None:
        """Several at once; one that is unknown is told with status 3."""
        project = self.project()
        tokens = [self.token(project)[0] for _ in range(2)]
        done = self.invoke("token", "revoke", *tokens)
        self.assertEqual(done.stdout.splitlines(), [f"{token} is revoked." for token in tokens])
        self.assertEqual({each["is_active"] for each in self.said("token", "list")}, {False})
        self.assertEqual(self.invoke("token", "revoke", "nope").exit_code, 3)

    def test_list(self) -> None:
        """Of one project or of all."""
        one, two = self.project("one"), self.project("two")
        self.token(one)
        self.token(two)
        self.assertEqual(len(self.said("token", "list")), 2)
        self.assertEqual([each["project_id"] for each in self.said("token", "list", "--project-id", one)], [one])
        self.assertIn("0 / unlimited", self.invoke("token", "list").stdout)
