"""Tokens over the management API."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import text

from llmproxy.errors import RateLimitExceeded

from .api import ManageTestCase


class CollectionTests(ManageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.project_id = self.project()

    def test_create(self) -> None:
        """A token is issued, its secret shown this once and stored nowhere."""
        body = {"project_id": self.project_id, "duration_minutes": 60, "max_requests": 5}
        answer = self.ask("POST", "/tokens", body)
        self.assertEqual(answer.status, 201)
        secret = answer.json["token"]
        self.assertRegex(secret, r"\Ask-[A-Za-z0-9_-]{22}\Z")
        self.assertEqual(
            answer.json,
            {
                "id": answer.json["id"],
                "token": secret,
                "expires_at": "2023-11-14T23:13:20.250000Z",
                "max_requests": 5,
            },
        )
        rows = self.successResultOf(
            self.database.read(lambda c: [tuple(row) for row in c.execute(text("SELECT * FROM tokens"))])
        )
        self.assertIn(sha256(secret.encode()).hexdigest(), rows[0])
        self.assertNotIn(secret, repr(rows))
        self.assertNotIn(secret.encode(), self.ask("GET", "/tokens").body)
        self.assertEqual(self.principal(secret.encode()).project.id, self.project_id)

    def test_unlimited(self) -> None:
        """No limit and a limit of 0 are the same."""
        for more in ({}, {"max_requests": 0}, {"max_requests": None}):
            answer = self.ask("POST", "/tokens", {"project_id": self.project_id, "duration_minutes": 1, **more})
            self.assertNotIn("max_requests", answer.json)
            self.assertIsNone(self.ask("GET", f"/tokens/{answer.json['id']}").json["max_requests"], more)

    def test_refused(self) -> None:
        """Each thing that is wrong with a new token; of several, the reference's first."""
        known = {"project_id": self.project_id}
        table = (
            ({**known, "duration_minutes": 525_601}, 400, "duration_minutes exceeds maximum allowed"),
            ({"duration_minutes": 525_601}, 400, "duration_minutes exceeds maximum allowed"),
            (known, 400, "project_id and duration_minutes are required"),
            ({**known, "duration_minutes": 0}, 400, "project_id and duration_minutes are required"),
            ({**known, "duration_minutes": -1}, 400, "project_id and duration_minutes are required"),
            ({"duration_minutes": 1, "max_requests": -1}, 400, "project_id is required"),
            ({**known, "duration_minutes": 1, "max_requests": -1}, 400, "max_requests must be >= 0"),
            ({**known, "duration_minutes": 1, "max_requests": 2**53}, 400, f"max_requests must be <= {2**53 - 1}"),
            ({**known, "duration_minutes": 1, "max_requests": 10**30}, 400, f"max_requests must be <= {2**53 - 1}"),
            ({**known, "duration_minutes": 1.5}, 400, "invalid request body"),
            ({**known, "duration_minutes": "1"}, 400, "invalid request body"),
            ({**known, "duration_minutes": 1, "scope": "all"}, 400, "invalid request body"),
            ({"project_id": "x", "duration_minutes": 1}, 404, "project not found"),
        )
        for body, status, error in table:
            self.refused(self.ask("POST", "/tokens", body), status, error)
        self.assertEqual(self.ask("GET", "/tokens").json, [])

    def test_longest(self) -> None:
        """A year is allowed."""
        answer = self.ask("POST", "/tokens", {"project_id": self.project_id, "duration_minutes": 525_600})
        self.assertEqual((answer.status, answer.json["expires_at"]), (201, "2024-11-13T22:13:20.250000Z"))

    def test_inactive_project(self) -> None:
        """No token for a project that is not active."""
        self.ask("PATCH", f"/projects/{self.project_id}", {"is_active": False})
        answer = self.ask("POST", "/tokens", {"project_id": self.project_id, "duration_minutes": 1})
        self.refused(answer, 403, "cannot create tokens for inactive projects")
        self.assertEqual(answer.json["code"], "project_inactive")

    def test_list(self) -> None:
        """The newest first, all or one project's, with the present numbers of uses."""
        first, secret = self.token(self.project_id)
        self.clock.advance(1)
        other = self.project("other")
        second, _ = self.token(other)
        self.assertEqual([each["id"] for each in self.ask("GET", "/tokens").json], [second, first])
        self.quota.spend(self.principal(secret))
        answer = self.ask("GET", f"/tokens?projectId={self.project_id}")
        self.assertEqual(
            answer.json,
            [
                {
                    "id": first,
                    "token": secret.decode()[:7] + "*" * 18,
                    "project_id": self.project_id,
                    "expires_at": "2023-11-14T23:13:20.250000Z",
                    "is_active": True,
                    "reserved_lost": 0,
                    "request_count": 1,
                    "max_requests": None,
                    "created_at": "2023-11-14T22:13:20.250000Z",
                    "last_used_at": "2023-11-14T22:13:21.250000Z",
                    "cache_hit_count": 0,
                    "name": None,
                    "metadata": {},
                }
            ],
        )
        self.assertEqual(self.ask("GET", "/tokens?projectId=x").json, [])
        self.assertEqual(len(self.ask("GET", "/tokens?projectId=").json), 2)

    def test_pages(self) -> None:
        """A list comes in pages to whoever asks for them, the newest first, filtered, one filter with another."""
        other = self.project("other")
        made = []
        for number, owner in enumerate((self.project_id, other, self.project_id)):
            made.append(self.token(owner, name=f"Build {number}")[0])
            self.clock.advance(1)
        first, second, third = made
        self.ask("DELETE", f"/tokens/{first}")
        self.assertEqual(self.walk("/tokens?limit=2", "id"), [[third, second], [first]])
        self.assertEqual(self.walk(f"/tokens?limit=1&projectId={self.project_id}", "id"), [[third], [first]])
        self.assertEqual(self.walk("/tokens?active=false", "id"), [[first]])
        self.assertEqual(self.walk("/tokens?name=build%202&active=true", "id"), [[third]])
        self.clock.advance(3598)
        self.assertEqual(self.walk("/tokens?expired=true", "id"), [[second, first]])
        self.assertEqual(self.walk("/tokens?expired=false", "id"), [[third]])
        self.refused(self.ask("GET", "/tokens?cursor=WzFd"), 400, "invalid cursor")

    def test_noted(self) -> None:
        """A name and metadata are kept, shown, replaced and taken away; each within bounds."""
        made, _ = self.token(self.project_id, name="ci", metadata={"team": "ünï", "env": ""})
        path = f"/tokens/{made}"
        shown = self.ask("GET", path).json
        self.assertEqual((shown["name"], shown["metadata"]), ("ci", {"team": "ünï", "env": ""}))
        shown = self.ask("PATCH", path, {"metadata": {"x": "y"}}).json
        self.assertEqual((shown["name"], shown["metadata"]), ("ci", {"x": "y"}))
        shown = self.ask("PATCH", path, {"name": None, "metadata": None}).json
        self.assertEqual((shown["name"], shown["metadata"]), (None, {}))
        for body in (
            {"name": "n" * 256},
            {"name": 7},
            {"metadata": {"k" * 65: "v"}},
            {"metadata": {"": "v"}},
            {"metadata": {"k": "v" * 257}},
            {"metadata": {"k": "\0"}},
            {"metadata": {"k": 1}},
            {"metadata": {str(number): "" for number in range(17)}},
        ):
            self.refused(self.ask("PATCH", path, body), 400, "invalid request body")
        self.refused(self.ask("PATCH", path, {"name": " "}), 422, "invalid name")
        most = {f"{number:064}": "\U0001f986" * 256 for number in range(16)}
        self.assertEqual(self.ask("PATCH", path, {"metadata": most}).json["metadata"], most)


class OneTokenTests(ManageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.made_id, self.secret = self.token(self.project(), max_requests=1000)
        self.path = f"/tokens/{self.made_id}"

    def spend(self, count: int) -> int:
        """How many of so many requests got a use."""
        spent = 0
        for _ in range(count):
            spending = self.quota.spend(self.principal(self.secret))
            if spending is None or spending.result is None:
                spent += 1
            else:
                self.failureResultOf(spending, RateLimitExceeded)
        return spent

    def test_missing(self) -> None:
        """What is not there, and what cannot be."""
        for method, body in (("GET", None), ("PATCH", {"is_active": True}), ("DELETE", None)):
            self.refused(self.ask(method, "/tokens/x", body), 404, "token not found")
            self.refused(self.ask(method, "/tokens/", body), 400, "token ID is required")

    def test_methods(self) -> None:
        """What is not supported says what is."""
        answer = self.ask("PUT", self.path)
        self.refused(answer, 405, "method not allowed")
        self.assertEqual(answer.header("allow"), "DELETE, GET, HEAD, OPTIONS, PATCH")

    def test_refused(self) -> None:
        """Each thing that is wrong with a change."""
        for body, error in (
            ({}, "no fields to update"),
            ({"max_requests": None}, "no fields to update"),
            ({"max_requests": -1}, "max_requests must be >= 0"),
            ({"request_count": 0}, "invalid request body"),
        ):
            self.refused(self.ask("PATCH", self.path, body), 400, error)

    def test_lowered(self) -> None:
        """A lower limit holds from the answer on, whatever was leased before; counters are not rolled back."""
        self.assertEqual(self.spend(10), 10)
        answer = self.ask("PATCH", self.path, {"max_requests": 12})
        self.assertEqual((answer.json["max_requests"], answer.json["request_count"]), (12, 10))
        self.assertEqual(self.spend(10), 2)

    def test_raised_and_lifted(self) -> None:
        """A higher limit, and none, hold at once too."""
        self.ask("PATCH", self.path, {"max_requests": 3})
        self.assertEqual(self.spend(10), 3)
        self.ask("PATCH", self.path, {"max_requests": 5})
        self.assertEqual(self.spend(10), 2)
        self.assertIsNone(self.ask("PATCH", self.path, {"max_requests": 0}).json["max_requests"])
        self.assertEqual(self.spend(10), 10)
        self.assertEqual(self.ask("GET", self.path).json["request_count"], 15)
        self.ask("PATCH", self.path, {"max_requests": 16})
        self.assertEqual(self.spend(10), 1)

    def test_revoke(self) -> None:
        """A revoked token is refused from the answer on, its streams are cut; a second time is the same."""
        cut: list[str] = []
        self.directory.watch(self.principal(self.secret), lambda: cut.append("cut"))
        for _ in range(2):
            answer = self.ask("DELETE", self.path)
            self.assertEqual((answer.status, answer.body), (204, b""))
            self.assertIsNone(answer.header("content-type"))
            self.assertFalse(self.principal(self.secret).token.is_active)
        self.assertEqual(cut, ["cut"])
        self.assertFalse(self.ask("GET", self.path).json["is_active"])

    def test_activate(self) -> None:
        """A revoked token can be brought back."""
        self.ask("DELETE", self.path)
        self.assertTrue(self.ask("PATCH", self.path, {"is_active": True}).json["is_active"])
        self.assertTrue(self.principal(self.secret).token.is_active)
        self.assertIsNone(self.successResultOf(self.database.tokens.get(self.made_id)).deactivated_at)

    def test_expiry(self) -> None:
        """A token can be given more time or less, and it counts from the answer on."""
        self.principal(self.secret)
        answer = self.ask("PATCH", self.path, {"expires_at": "2023-11-14T23:13:21+01:00"})
        self.assertEqual((answer.status, answer.json["expires_at"]), (200, "2023-11-14T22:13:21Z"))
        self.assertEqual(self.principal(self.secret).token.expires_at, self.clock.seconds() + 0.75)
        for body, status, error in (
            ({"expires_at": "2023-11-14T22:13:20Z"}, 422, "expires_at is in the past"),
            ({"expires_at": "2024-11-14T22:13:20Z"}, 422, "expires_at exceeds maximum allowed"),
            ({"expires_at": "2024-01-01T00:00:00"}, 400, "invalid request body"),
            ({"expires_at": "tomorrow"}, 400, "invalid request body"),
            ({"expires_at": None}, 400, "invalid request body"),
        ):
            self.refused(self.ask("PATCH", self.path, body), status, error)

    def test_rotate(self) -> None:
        """A rotated token has two secrets until the overlap ends, and one count of uses."""
        self.spend(3)
        answer = self.ask("POST", f"{self.path}/rotate", {"overlap_seconds": 60})
        self.assertEqual((answer.status, answer.json["id"], answer.json["max_requests"]), (200, self.made_id, 1000))
        self.assertEqual(answer.json["previous_expires_at"], "2023-11-14T22:14:20.250000Z")
        new = answer.json["token"].encode()
        self.assertEqual(self.spend(1), 1)
        self.quota.spend(self.principal(new))
        shown = self.ask("GET", self.path).json
        self.assertEqual((shown["request_count"], shown["token"]), (5, new.decode()[:7] + "*" * 18))
        self.clock.advance(60)
        now = self.clock.seconds()
        self.assertEqual(self.principal(self.secret).token.expires_at, now)
        self.assertGreater(self.principal(new).token.expires_at or 0.0, now)

    def test_rotate_at_once(self) -> None:
        """A secret that has leaked is rotated without an overlap: it opens nothing from the answer on."""
        cut: list[str] = []
        self.directory.watch(self.principal(self.secret), lambda: cut.append("cut"))
        answer = self.ask("POST", f"{self.path}/rotate", {"overlap_seconds": 0, "duration_minutes": 5})
        self.assertEqual(answer.json["expires_at"], "2023-11-14T22:18:20.250000Z")
        self.assertNotIn("previous_expires_at", answer.json)
        self.assertEqual(cut, ["cut"])
        self.assertFalse(self.principal(self.secret).token.is_active)

    def test_rotate_defaults(self) -> None:
        """Without a body the old secret has an hour."""
        answer = self.ask("POST", f"{self.path}/rotate")
        self.assertEqual(answer.json["previous_expires_at"], "2023-11-14T23:13:20.250000Z")
        for body in ({"overlap_seconds": -1}, {"overlap_seconds": 604_801}, {"duration_minutes": 0}, {"overlap": 1}):
            self.refused(self.ask("POST", f"{self.path}/rotate", body), 400, "invalid request body")
        self.refused(self.ask("POST", "/tokens/x/rotate"), 404, "token not found")

    def test_not_rotated(self) -> None:
        """What is over is not given a secret that opens nothing."""
        self.clock.advance(3600)
        self.refused(self.ask("POST", f"{self.path}/rotate"), 409, "token has expired")
        self.assertEqual(self.ask("POST", f"{self.path}/rotate", {"duration_minutes": 1}).status, 200)
        self.ask("DELETE", self.path)
        self.refused(self.ask("POST", f"{self.path}/rotate"), 409, "token is revoked")

    def test_versions(self) -> None:
        """A change, a rotation, a revocation that was meant for an earlier version is not made; uses are no changes."""
        tag = self.ask("GET", self.path).header("etag") or ""
        self.spend(1)
        self.assertEqual(self.ask("GET", self.path).header("etag"), tag)
        changed = self.ask("PATCH", self.path, {"max_requests": 5}, headers={"If-Match": tag})
        self.assertEqual((changed.status, changed.header("etag")), (200, '"v2"'))
        for method, path, body in (
            ("PATCH", self.path, {"max_requests": 6}),
            ("POST", f"{self.path}/rotate", None),
            ("DELETE", self.path, None),
        ):
            self.refused(self.ask(method, path, body, headers={"If-Match": tag}), 412, "precondition failed")
        self.assertEqual(self.ask("DELETE", self.path, headers={"If-Match": '"v2"'}).status, 204)


class FindTests(ManageTestCase):
    def test_find(self) -> None:
        """A token is found by its secret, by the hash of it, and by the secret of before a rotation; as it is now."""
        token, secret = self.token(self.project(), name="leaked")
        digest = sha256(secret).hexdigest()
        for asked in ({"token": secret.decode()}, {"hash": digest}, {"hash": digest.upper()}):
            found = self.ask("POST", "/tokens/find", asked)
            self.assertEqual((found.status, found.json), (200, self.ask("GET", f"/tokens/{token}").json), asked)
        self.ask("POST", f"/tokens/{token}/rotate")
        self.assertEqual(self.ask("POST", "/tokens/find", {"hash": digest}).json["id"], token)
        self.ask("DELETE", f"/tokens/{token}")
        self.assertFalse(self.ask("POST", "/tokens/find", {"hash": digest}).json["is_active"])

    def test_noted(self) -> None:
        """Who looked for which token is noted, and never by what secret."""
        token, secret = self.token(self.project())
        self.ask("POST", "/tokens/find", {"token": secret.decode()})
        action, _, _, details = self.notes.events[-1]
        self.assertEqual((action, details["token_id"]), ("token.find", token))
        self.assertNotIn(secret.decode(), repr(self.notes.events))

    def test_refused(self) -> None:
        for asked, status, error in (
            ({}, 400, "token or hash is required"),
            ({"token": "x", "hash": "0" * 64}, 400, "token or hash is required"),
            ({"hash": "0" * 63}, 400, "invalid request body"),
            ({"hash": "0" * 64}, 404, "token not found"),
            ({"token": "sk-nothing"}, 404, "token not found"),
        ):
            self.refused(self.ask("POST", "/tokens/find", asked), status, error)
