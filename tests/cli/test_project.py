"""C{llmproxy project}."""

from __future__ import annotations

import json
from pathlib import Path

from ..web.manage.api import API_KEY
from .api import CommandTestCase


class ProjectTests(CommandTestCase):
    def create(self, name: str = "team-a") -> str:
        path = self.mktemp()
        Path(path).write_text(API_KEY)
        created = self.said("project", "create", "--name", name, "--api-key-file", path)
        return str(created["id"])

    def test_create(self) -> None:
        """A project is made with a key that stood on no command line, and shown without it."""
        made = self.invoke("project", "create", "--name", "a", "--api-key", "-", input=API_KEY)
        self.assertEqual((made.exit_code, made.stderr), (0, ""))
        self.assertIn("Name     a\n", made.stdout)
        self.assertNotIn(API_KEY, made.output)
        stored = self.successResultOf(self.database.projects.list())
        self.assertEqual([(each.name, each.api_keys["openai"][0]) for each in stored], [("a", API_KEY)])
        self.assertEqual(self.invoke("project", "create", "--name", "b", UPSTREAM_API_KEY=API_KEY).exit_code, 0)

    def test_taken(self) -> None:
        """A name that is taken is a conflict, in the server's words."""
        self.create()
        again = self.invoke("project", "create", "--name", "team-a", "--openai-key", "k")
        self.assertEqual(again.exit_code, 6)
        self.assertIn("Error: a project with this name exists already", again.stderr)

    def test_list(self) -> None:
        """All of them, as a table, and as the server's JSON for scripts."""
        self.assertIn("There are no projects.", self.invoke("project", "list").stdout)
        ids = [self.create(name) for name in ("one", "two")]
        table = self.invoke("project", "list").stdout
        self.assertTrue(all(each in table for each in (*ids, "one", "two", "API Key")), table)
        self.assertEqual([each["id"] for each in self.said("project", "list")], ids)
        self.assertEqual([each["id"] for each in self.said("project", "list", "--name", "two", "--active")], ids[1:])

    def test_update(self) -> None:
        """What is given changes, and nothing else; what changes nothing is an error of use."""
        project = self.create()
        self.assertEqual(self.said("project", "update", project, "--name", "team-b")["name"], "team-b")
        self.assertEqual(self.invoke("project", "update", project, "--api-key", "-", input="another").exit_code, 0)
        stored = self.successResultOf(self.database.projects.get(project))
        assert stored is not None
        self.assertEqual((stored.name, stored.api_keys["openai"][0], stored.is_active), ("team-b", "another", True))
        self.assertEqual(self.invoke("project", "update", project).exit_code, 2)

    def test_rotate_key(self) -> None:
        """Another key takes the place of the old one; it stands on no command line."""
        project = self.create()
        self.assertEqual(self.invoke("project", "rotate-key", project, "--api-key", "-", input="sk-new").exit_code, 0)
        stored = self.successResultOf(self.database.projects.get(project))
        assert stored is not None
        self.assertEqual(stored.api_keys["openai"][0], "sk-new")

    def keys(self, project: str) -> dict[str, tuple[str, ...]]:
        stored = self.successResultOf(self.database.projects.get(project))
        assert stored is not None
        return dict(stored.api_keys)

    def file(self, content: str) -> str:
        path = self.mktemp()
        Path(path).write_text(content)
        return path

    def test_keys_by_api(self) -> None:
        """A key is set for one API and taken away again, from standard input, a file, a variable or several files."""
        project = self.create()
        mine = {"openai": (API_KEY,)}
        done = self.invoke("project", "set-key", project, "anthropic", "--api-key", "-", input="sk-ant-canary\n")
        self.assertEqual((done.exit_code, done.stderr), (0, ""))
        self.assertEqual(self.keys(project), {**mine, "anthropic": ("sk-ant-canary",)})
        self.assertNotIn("canary\n", done.output)
        self.assertIn("anthropic: sk", done.stdout)
        one, two = self.file("AIza-1"), self.file("AIza-2\n")
        self.said("project", "set-key", project, "gemini", "--api-key-file", one, "--api-key-file", two)
        self.assertEqual(self.keys(project)["gemini"], ("AIza-1", "AIza-2"))
        self.assertEqual(
            self.said("project", "unset-key", project, "anthropic")["api_keys"].keys(), {"gemini", "openai"}
        )
        set_by_variable = self.invoke("project", "set-key", project, "anthropic", UPSTREAM_API_KEY="sk-ant-2")
        self.assertEqual((set_by_variable.exit_code, self.keys(project)["anthropic"]), (0, ("sk-ant-2",)))
        rotated = self.invoke("project", "rotate-key", project, "--api", "gemini", "--api-key", "-", input="AIza-3")
        self.assertEqual((rotated.exit_code, self.keys(project)["gemini"]), (0, ("AIza-3",)))
        wrong = self.invoke("project", "set-key", project, "opnai", "--api-key-file", one)
        self.assertIn("unknown API 'opnai' (known: anthropic, azure, gemini, openai)", wrong.stderr)
        self.assertEqual(self.invoke("project", "set-key", project, "gemini").exit_code, 1)

    def test_create_without_a_key(self) -> None:
        """A project for servers that take no key, or whose keys come later."""
        made = self.said("project", "create", "--name", "a", "--no-api-key")
        self.assertEqual(self.keys(made["id"]), {})
        both = self.invoke("project", "create", "--name", "b", "--no-api-key", "--api-key", "-", input="k")
        self.assertEqual(both.exit_code, 2)

    def test_activity(self) -> None:
        """Deactivated, with its tokens or without, and let in again."""
        project = self.create()
        self.token(project)
        self.assertFalse(self.said("project", "deactivate", project, "--revoke-tokens")["is_active"])
        self.assertIn("Deactivated", self.invoke("project", "get", project).stdout)
        self.assertEqual([each["is_active"] for each in self.said("token", "list")], [False])
        self.assertTrue(self.said("project", "activate", project)["is_active"])
        self.assertFalse(self.said("project", "update", project, "--inactive")["is_active"])

    def test_revoke_tokens(self) -> None:
        """It is asked about first; the answer says how many."""
        project = self.create()
        self.token(project)
        self.assertEqual(self.invoke("project", "revoke-tokens", project, input="n\n").exit_code, 1)
        done = self.invoke("project", "revoke-tokens", project, input="y\n")
        self.assertEqual(done.stdout, "1 of 1 tokens revoked; 0 were revoked before.\n")
        self.assertEqual(self.said("project", "revoke-tokens", project, "--yes")["already_revoked_count"], 1)

    def test_not_there(self) -> None:
        """An id that is unknown is status 3, whatever is asked of it."""
        for command in (("get",), ("update", "--name", "x"), ("activate",), ("deactivate",), ("revoke-tokens", "-y")):
            result = self.invoke("project", command[0], "nope", *command[1:])
            self.assertEqual(result.exit_code, 3, result.output)

    def test_names(self) -> None:
        """Every command that changes or shows a project takes its name; an unknown one is status 3."""
        project, key = self.create("Team A/ü"), self.file("sk-2")
        for words in (
            ("get",),
            ("update", "--active"),
            ("rotate-key", "--api-key-file", key),
            ("set-key", "gemini", "--api-key-file", key),
            ("unset-key", "gemini"),
            ("deactivate",),
            ("activate",),
        ):
            found = self.said("project", words[0], "Team A/ü", *words[1:])
            self.assertEqual(found["id"], project, words)
        self.said("project", "revoke-tokens", "Team A/ü", "--yes")
        self.invoke("cache", "purge", "--project", "Team A/ü")
        self.assertEqual(json.loads(self.asked[-1][3] or b""), {"project_id": project})
        self.assertEqual(self.said("audit", "list", "--project", "Team A/ü"), [])
        refused = self.invoke("project", "deactivate", "Team A")
        self.assertEqual(refused.exit_code, 3)
        self.assertIn("no project named 'Team A': see llmproxy project list", refused.stderr)

    def test_delete(self) -> None:
        """Projects cannot be deleted, and the server's reason is shown."""
        result = self.invoke("manage", "project", "delete", self.create())
        self.assertEqual(result.exit_code, 1)
        self.assertIn("deletion is not permitted", result.stderr)
