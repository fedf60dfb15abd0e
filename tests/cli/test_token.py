"""C{llmproxy token}."""

from __future__ import annotations

from hashlib import sha256

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

    def test_find(self) -> None:
        """A secret that was found somewhere says whose it is; it goes neither to the server nor to the screen."""
        token, secret = self.token(self.project())
        for given in (secret, secret + b"\n"):
            found = self.invoke("token", "find", "-", input=given and given.decode())
            self.assertIn(token, found.stdout)
            self.assertNotIn(secret.decode(), found.output)
        digest = sha256(secret).hexdigest()
        self.assertEqual(self.said("token", "find", "--hash", digest.upper())["id"], token)
        self.assertNotIn(secret.decode(), repr(self.notes.events))

    def test_find_nothing(self) -> None:
        for options, given, status in (
            (("-",), b"sk-" + b"A" * 22, 3),
            (("-",), b"sk-ant-api03-something-else", 1),
            (("-",), b"", 1),
            (("--hash", "0" * 64), None, 3),
            (("--hash", "0" * 63), None, 2),
            (("-", "--hash", "0" * 64), None, 2),
        ):
            result = self.invoke("token", "find", *options, input=given and given.decode())
            self.assertEqual(result.exit_code, status, (options, result.output))

    def test_revoke_a_secret(self) -> None:
        """The one who finds a leaked token need not know its id."""
        token, secret = self.token(self.project())
        self.assertIn(f"{token} is revoked", self.invoke("token", "revoke", "-", input=secret.decode()).stdout)
        self.assertFalse(self.said("token", "get", token)["is_active"])
        other, secret = self.token(self.project("other"))
        typed = self.invoke("token", "revoke", secret.decode())
        self.assertIn(f"{other} is revoked", typed.stdout)
        self.assertIn("everybody on this machine", typed.stderr)

    def test_project_by_name(self) -> None:
        """A project is named by what people call it, and exactly."""
        project = self.project("search")
        self.project("search engine")
        made = self.said("token", "create", "--project", "search")
        self.assertEqual([each["id"] for each in self.said("token", "list", "--project", "search")], [made["id"]])
        self.assertEqual(self.said("token", "get", made["id"])["project_id"], project)
        self.assertEqual(self.invoke("token", "list", "--project", "sear").exit_code, 3)
        self.assertEqual(self.invoke("token", "create").exit_code, 2)

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
