"""Projects over the management API."""

from __future__ import annotations

from .api import API_KEY, ManageTestCase

OBFUSCATED = "cannot save obfuscated API key - please provide the full API key"


class CollectionTests(ManageTestCase):
    def test_create(self) -> None:
        """A project is made and shown, but for its key."""
        answer = self.ask("POST", "/projects", {"name": "tenant", "api_key": API_KEY})
        self.assertEqual((answer.status, answer.header("content-type")), (201, "application/json"))
        self.assertEqual(
            answer.json,
            {
                "id": answer.json["id"],
                "name": "tenant",
                "api_key": "sk-upstr...cdef",
                "api_keys": {"openai": "sk-upstr...cdef"},
                "is_active": True,
                "created_at": "2023-11-14T22:13:20.250000Z",
                "updated_at": "2023-11-14T22:13:20.250000Z",
            },
        )
        stored = self.successResultOf(self.database.projects.get(answer.json["id"]))
        self.assertEqual(stored.api_keys["openai"][0], API_KEY)

    def test_list(self) -> None:
        """All are listed by name; none is an empty list; a HEAD is the same without content."""
        self.assertEqual(self.ask("GET", "/projects").json, [])
        self.project("b")
        self.project("a")
        answer = self.ask("GET", "/projects")
        self.assertEqual([each["name"] for each in answer.json], ["a", "b"])
        head = self.ask("HEAD", "/projects")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.header("content-length"), str(len(answer.body)))

    def test_refused(self) -> None:
        """Each thing that is wrong with a new project, in words."""
        invalid, required = "invalid request body", "name and api_key are required"
        obfuscated = "cannot save obfuscated API key - please provide the full API key"
        table: tuple[tuple[object, str], ...] = (
            ({}, required),
            ({"name": "x"}, required),
            ({"name": "x", "api_key": ""}, required),
            ({"name": "x", "api_key": "sk-upstr...cdef"}, obfuscated),
            ({"name": "x", "api_key": "sk****"}, obfuscated),
            ({"name": "x", "api_key": "k" * 4097}, invalid),
            ({"name": "x", "api_key": "two words"}, invalid),
            ({"name": "x", "api_key": "line\r\nX-Evil: 1"}, invalid),
            ({"name": "n" * 256, "api_key": "k"}, invalid),
            ({"name": "a\nb", "api_key": "k"}, invalid),
            ({"name": "\0", "api_key": "k"}, invalid),
            ({"name": "x\n", "api_key": "k"}, invalid),
            ({"name": "x", "api_key": "k\n"}, invalid),
            ({"name": 1, "api_key": "k"}, invalid),
            ({"name": "x", "api_key": "k", "is_admin": True}, invalid),
            ([], invalid),
        )
        for body, error in table:
            self.refused(self.ask("POST", "/projects", body), 400, error)
        for name in ("  ", "\u202egnp.exe"):
            self.refused(self.ask("POST", "/projects", {"name": name, "api_key": "k"}), 422, "invalid name")
        self.assertEqual(self.ask("GET", "/projects").json, [])

    def test_pages(self) -> None:
        """A list comes in pages to whoever asks for them, by name, filtered, and each says where the next one is."""
        for name in ("b", "a", "c", "Other"):
            self.project(name)
        self.ask("PATCH", f"/projects/{self.ask('GET', '/projects?name=b').json[0]['id']}", {"is_active": False})
        self.assertEqual(self.walk("/projects?limit=3"), [["Other", "a", "b"], ["c"]])
        self.assertEqual(self.walk("/projects?limit=2&active=true"), [["Other", "a"], ["c"]])
        self.assertEqual(self.walk("/projects?active=false"), [["b"]])
        self.assertEqual(self.walk("/projects?name=OTH"), [["Other"]])
        self.refused(self.ask("GET", "/projects?cursor=x"), 400, "invalid cursor")
        for query in ("limit=0", "limit=1001", "limit=x", "active=maybe", "page=2"):
            self.refused(self.ask("GET", f"/projects?{query}"), 400, "invalid query")

    def test_duplicate(self) -> None:
        """A name is taken once."""
        self.project()
        answer = self.ask("POST", "/projects", {"name": "tenant", "api_key": "k"})
        self.refused(answer, 409, "a project with this name exists already")
        other = self.project("other")
        self.refused(
            self.ask("PATCH", f"/projects/{other}", {"name": "tenant"}), 409, "a project with this name exists already"
        )

    def test_methods(self) -> None:
        """What is not supported says what is."""
        answer = self.ask("DELETE", "/projects")
        self.refused(answer, 405, "method not allowed")
        self.assertEqual(answer.header("allow"), "GET, HEAD, OPTIONS, POST")


class OneProjectTests(ManageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.made_id = self.project()
        self.path = f"/projects/{self.made_id}"

    def test_show(self) -> None:
        """One is shown as in the list."""
        self.assertEqual([self.ask("GET", self.path).json], self.ask("GET", "/projects").json)

    def test_without_what_is_left(self) -> None:
        """What is left of its limits is not looked for where nobody asks."""
        self.ask("PATCH", self.path, {"rpm_limit": 5})
        self.assertIn("limits_left", self.ask("GET", self.path).json)
        self.assertNotIn("limits_left", self.ask("GET", self.path + "?limits_left=false").json)

    def test_missing(self) -> None:
        """What is not there, and what cannot be."""
        for method, body in (("GET", None), ("PATCH", {})):
            self.refused(self.ask(method, "/projects/x", body), 404, "project not found")
            self.refused(self.ask(method, "/projects/", body), 400, "invalid project id")
        self.refused(self.ask("GET", "/projects/a%2Fb"), 400, "invalid project id")
        self.refused(self.ask("GET", "/projects/" + "x" * 65), 404, "not found")
        self.refused(self.ask("POST", "/projects/x/tokens/revoke"), 404, "project not found")
        for path in ("/tokens", "/tokens/", "/tokens/revoked", "/tokens/revoke/x", "/x"):
            self.refused(self.ask("POST", self.path + path), 404, "not found")

    def test_change(self) -> None:
        """Only what is given changes; the key is never told."""
        self.clock.advance(1)
        answer = self.ask("PATCH", self.path, {"name": "new", "api_key": "sk-another-canary-key-9876"})
        self.assertEqual((answer.status, answer.json["name"], answer.json["api_key"]), (200, "new", "sk-anoth...9876"))
        self.assertEqual(answer.json["updated_at"], "2023-11-14T22:13:21.250000Z")
        kept = self.ask("PATCH", self.path, {"api_key": ""})
        self.assertEqual((kept.status, kept.json["api_key"]), (200, "sk-anoth...9876"))

    def test_refused(self) -> None:
        """Each thing that is wrong with a change."""
        for body, error in (
            ({"revoke_tokens": True}, "revoke_tokens requires is_active=false"),
            ({"revoke_tokens": True, "is_active": True}, "revoke_tokens requires is_active=false"),
            ({"api_key": "a...b"}, "cannot save obfuscated API key - please provide the full API key"),
            ({"is_active": "yes"}, "invalid request body"),
            ({"id": "y"}, "invalid request body"),
        ):
            self.refused(self.ask("PATCH", self.path, body), 400, error)
        self.refused(self.ask("PATCH", self.path, {"name": ""}), 422, "invalid name")

    def test_versions(self) -> None:
        """A change that was meant for an earlier version is not made."""
        tag = self.ask("GET", self.path).header("etag")
        self.assertEqual(tag, '"v1"')
        changed = self.ask("PATCH", self.path, {"name": "first"}, headers={"If-Match": tag})
        self.assertEqual((changed.status, changed.header("etag")), (200, '"v2"'))
        for stale in (tag, 'W/"v2"', "v2", '"v3", "x"', ""):
            headers = {"If-Match": stale or " "}
            self.refused(self.ask("PATCH", self.path, {"name": "second"}, headers=headers), 412, "precondition failed")
        self.assertEqual(self.ask("GET", self.path).json["name"], "first")
        for good in ('"v1", "v2"', "*"):
            self.assertEqual(self.ask("PATCH", self.path, {"name": "x"}, headers={"If-Match": good}).status, 200, good)
        self.refused(self.ask("PATCH", "/projects/x", {}, headers={"If-Match": "*"}), 404, "project not found")

    def test_rotate_key(self) -> None:
        """A new upstream key holds from the next request on."""
        _, secret = self.token(self.made_id)
        self.principal(secret)
        rotate = f"{self.path}/rotate-key"
        answer = self.ask("POST", rotate, {"api_key": "sk-another-canary-key-9876"})
        self.assertEqual((answer.status, answer.json["api_key"]), (200, "sk-anoth...9876"))
        self.assertEqual(self.principal(secret).project.api_keys["openai"][0], "sk-another-canary-key-9876")
        for body in ({}, {"api_key": ""}, {"api_key": None}):
            self.refused(self.ask("POST", rotate, body), 400, "invalid request body")
        shown = "cannot save obfuscated API key - please provide the full API key"
        self.refused(self.ask("POST", rotate, {"api_key": answer.json["api_key"]}), 400, shown)

    def test_delete(self) -> None:
        """A project cannot be deleted."""
        answer = self.ask("DELETE", self.path)
        self.refused(answer, 405, "method not allowed")
        self.assertEqual(answer.json["description"], "project deletion is not permitted")
        self.assertEqual(answer.header("allow"), "GET, HEAD, OPTIONS, PATCH")

    def test_effective_at_once(self) -> None:
        """A new key and a deactivation hold for the next request, and running streams are cut."""
        _, secret = self.token(self.made_id)
        cut: list[str] = []
        self.directory.watch(self.principal(secret), lambda: cut.append("cut"))
        self.ask("PATCH", self.path, {"api_key": "sk-another-canary-key-9876"})
        self.assertEqual(self.principal(secret).project.api_keys["openai"][0], "sk-another-canary-key-9876")
        self.assertEqual(cut, [])
        answer = self.ask("PATCH", self.path, {"is_active": False})
        self.assertEqual(answer.json["deactivated_at"], "2023-11-14T22:13:20.250000Z")
        self.assertFalse(self.principal(secret).project.is_active)
        self.assertEqual(cut, ["cut"])
        answer = self.ask("PATCH", self.path, {"is_active": True})
        self.assertNotIn("deactivated_at", answer.json)
        self.assertTrue(self.principal(secret).project.is_active)

    def test_deactivate_and_revoke(self) -> None:
        """Deactivation can take the tokens with it; a repeated call is the same."""
        _, secret = self.token(self.made_id)
        self.principal(secret)
        for _ in range(2):
            self.assertEqual(
                self.ask("PATCH", self.path, {"is_active": False, "revoke_tokens": True}).json["is_active"], False
            )
            self.assertFalse(self.principal(secret).token.is_active)

    def test_revoke_all(self) -> None:
        """All tokens of a project are revoked at once, and counted; nobody else's."""
        secrets = [self.token(self.made_id)[1] for _ in range(3)]
        _, foreign = self.token(self.project("other"))
        for secret in (*secrets, foreign):
            self.principal(secret)
        revoke = f"{self.path}/tokens/revoke"
        self.assertEqual(
            self.ask("POST", revoke).json, {"revoked_count": 3, "already_revoked_count": 0, "total_tokens": 3}
        )
        self.assertEqual(
            self.ask("POST", revoke).json, {"revoked_count": 0, "already_revoked_count": 3, "total_tokens": 3}
        )
        self.assertEqual(
            [self.principal(secret).token.is_active for secret in (*secrets, foreign)], [False] * 3 + [True]
        )
        self.assertEqual(self.ask("GET", revoke).header("allow"), "OPTIONS, POST")


class KeysTests(ManageTestCase):
    """A project's keys by API."""

    GEMINI = ["AIza-canary-0123456789-1", "AIza-canary-0123456789-2"]
    KEYS = {"anthropic": "sk-ant-canary-0123456789-wxyz", "gemini": GEMINI}
    SHOWN = {"anthropic": "sk-ant-c...wxyz", "gemini": ["AIza-can...89-1", "AIza-can...89-2"]}

    def stored(self, project_id: str) -> dict[str, tuple[str, ...]]:
        found = self.successResultOf(self.database.projects.get(project_id))
        assert found is not None
        return dict(found.api_keys)

    def test_create(self) -> None:
        """Keys for several APIs at once, with or without C{api_key} for the default one; shown masked."""
        both = self.ask("POST", "/projects", {"name": "a", "api_key": API_KEY, "api_keys": self.KEYS})
        self.assertEqual((both.status, both.json["api_key"]), (201, "sk-upstr...cdef"))
        self.assertEqual(both.json["api_keys"], {**self.SHOWN, "openai": "sk-upstr...cdef"})
        self.assertNotIn(b"canary-0", both.body)
        one = self.ask("POST", "/projects", {"name": "b", "api_keys": {"openai": API_KEY}})
        self.assertEqual(one.json["api_key"], "sk-upstr...cdef")
        none = self.ask("POST", "/projects", {"name": "c", "api_keys": {}})
        self.assertEqual((none.status, none.json["api_key"], none.json["api_keys"]), (201, "", {}))
        self.assertEqual(self.stored(both.json["id"])["gemini"], tuple(self.GEMINI))
        shown = {each["name"]: each["api_keys"] for each in self.ask("GET", "/projects").json}
        self.assertEqual(shown, {"a": both.json["api_keys"], "b": one.json["api_keys"], "c": {}})

    def test_change(self) -> None:
        """What is named changes or goes, at once, and the rest stays."""
        project = self.project()
        _, secret = self.token(project)
        self.principal(secret)
        path = f"/projects/{project}"
        for change, expected in (
            ({"api_keys": self.KEYS}, {**self.SHOWN, "openai": "sk-upstr...cdef"}),
            ({"api_keys": {"gemini": None}}, {"anthropic": "sk-ant-c...wxyz", "openai": "sk-upstr...cdef"}),
            ({"api_key": "sk-another-canary-key-9876"}, {"anthropic": "sk-ant-c...wxyz", "openai": "sk-anoth...9876"}),
            ({"api_keys": {"openai": None}}, {"anthropic": "sk-ant-c...wxyz"}),
            ({"api_keys": None, "name": "new"}, {"anthropic": "sk-ant-c...wxyz"}),
            ({"api_keys": {}}, {"anthropic": "sk-ant-c...wxyz"}),
        ):
            answer = self.ask("PATCH", path, change)
            self.assertEqual((answer.status, answer.json["api_keys"]), (200, expected), change)
            self.assertEqual(answer.json["api_key"], expected.get("openai", ""), change)
            self.assertEqual(dict(self.principal(secret).project.api_keys), self.stored(project), change)

    def test_rotate(self) -> None:
        """C{rotate-key} takes an API; without one it is the default API's key."""
        project = self.project()
        path = f"/projects/{project}/rotate-key"
        answer = self.ask("POST", path, {"api_key": "AIza-canary-0123456789-3", "api": "gemini"})
        self.assertEqual(answer.json["api_keys"], {"gemini": "AIza-can...89-3", "openai": "sk-upstr...cdef"})
        answer = self.ask("POST", path, {"api_key": ["sk-another-canary-key-9876", "k"]})
        self.assertEqual(answer.json["api_keys"]["openai"], ["sk-anoth...9876", "*"])
        self.assertEqual(self.ask("POST", path, {"api_key": "k", "api": "opnai"}).status, 422)

    def test_refused(self) -> None:
        """What is wrong with keys, in words that show none; nothing is changed then."""
        project = self.project()
        removal = {"api_keys": {"gemini": "k", "nowhere": None}}
        for body, status, error in (
            ({"api_keys": {"opnai": "k"}}, 422, "unknown API"),
            (removal, 422, "unknown API"),
            ({"api_key": "k", "api_keys": {"openai": "k2"}}, 422, "two keys for one API"),
            ({"api_keys": {"gemini": []}}, 400, "invalid request body"),
            ({"api_keys": {"gemini": ""}}, 400, "invalid request body"),
            ({"api_keys": {"gemini": "two words"}}, 400, "invalid request body"),
            ({"api_keys": {"gemini": ["k", "line\n"]}}, 400, "invalid request body"),
            ({"api_keys": {"gemini": {"key": "k"}}}, 400, "invalid request body"),
            ({"api_keys": ["k"]}, 400, "invalid request body"),
            ({"api_keys": {"gemini": ["k", "k"]}}, 422, "the same key twice"),
            ({"api_keys": {"gemini": "AIza-can...89-1"}}, 400, OBFUSCATED),
        ):
            self.refused(self.ask("PATCH", f"/projects/{project}", body), status, error)
            if body != removal:
                self.refused(self.ask("POST", "/projects", {"name": "x", **body}), status, error)
        self.assertEqual(self.stored(project), {"openai": (API_KEY,)})
        self.assertEqual(len(self.ask("GET", "/projects").json), 1)
        null = self.ask("POST", "/projects", {"name": "x", "api_keys": {"gemini": None}})
        self.refused(null, 400, "invalid request body")

    def test_of_an_api_that_is_gone(self) -> None:
        """A key for an API that the configuration has no more is shown, can be taken away, and not be set."""
        project = self.project()
        self.successResultOf(self.database.projects.update(project, api_keys={"old": (API_KEY,)}))
        self.assertIn("old", self.ask("GET", f"/projects/{project}").json["api_keys"])
        self.refused(self.ask("PATCH", f"/projects/{project}", {"api_keys": {"old": "k"}}), 422, "unknown API")
        gone = self.ask("PATCH", f"/projects/{project}", {"api_keys": {"old": None}})
        self.assertEqual((gone.status, gone.json["api_keys"]), (200, {"openai": "sk-upstr...cdef"}))

    def test_noted(self) -> None:
        """The audit log tells for which APIs keys were changed, and none of the keys."""
        made = self.ask("POST", "/projects", {"name": "a", "api_keys": self.KEYS}).json["id"]
        azure = "0123456789abcdef0123456789abcdef"
        self.ask("PATCH", f"/projects/{made}", {"api_keys": {"openai": azure, "gemini": None}})
        self.ask("POST", f"/projects/{made}/rotate-key", {"api_key": azure, "api": "anthropic"})
        self.assertNotIn("canary-0", repr(self.notes.events))
        self.assertNotIn(azure, repr(self.notes.events))
        self.assertEqual(
            [
                (action, details.get("apis"), details.get("updated_fields"))
                for action, _, _, details in self.notes.events
            ],
            [
                ("project.create", ["anthropic", "gemini"], None),
                ("project.update", ["gemini", "openai"], ["api_keys"]),
                ("project.rotate_key", ["anthropic"], None),
            ],
        )
