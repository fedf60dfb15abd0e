"""C{llmproxy db import-litellm}."""

from __future__ import annotations

import json
import os
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.core.tokens import token_hash

from ..store.databases import opened, project

SECRET = b"sk-" + b"A" * 22
KEY: dict[str, Any] = {"token": token_hash(SECRET), "key_alias": "ci", "created_at": "2026-01-02T03:04:05Z"}


class ImportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()

    def run_(self, *documents: Any, options: tuple[str, ...] = ("--yes",), stdin: str = "") -> Result:
        files = []
        for document in documents:
            files.append(self.mktemp())
            with open(files[-1], "w") as file:
                file.write(document if isinstance(document, str) else json.dumps(document))
        cleared: Any = dict.fromkeys(("DATABASE_URL", "DATABASE_PATH", "ENCRYPTION_KEY", "ENCRYPTION_KEY_FILE"))
        command = ["db", "import-litellm", *(files or ["-"]), "--database", self.path, *options]
        return CliRunner().invoke(cli, command, env=cleared, input=stdin, catch_exceptions=False)

    def tokens(self) -> list[Any]:
        return list(self.successResultOf(opened(self, self.path, key=None).tokens.list()))

    def test_dry_run(self) -> None:
        """Nothing is written before it is agreed to, not even a file."""
        ended = self.run_({"keys": [KEY]}, options=())
        self.assertEqual(ended.exit_code, 0, ended.output + ended.stderr)
        self.assertIn("Nothing was written: with --yes", ended.stdout)
        self.assertFalse(os.path.exists(self.path))

    def test_moved(self) -> None:
        """Keys and teams are there, once however often it is run, and for scripts as JSON."""
        team = {"team_id": "t-1", "team_alias": "search", "rpm_limit": 5}
        for moved, there in ((1, 0), (0, 1)):
            ended = self.run_([team], {"keys": [{**KEY, "team_id": "t-1"}]}, options=("--yes", "--json"))
            self.assertEqual(ended.exit_code, 0, ended.output + ended.stderr)
            found = json.loads(ended.stdout)
            for table in ("projects", "tokens"):
                self.assertEqual((found[table]["moved"], found[table]["there"]), (moved, there), (table, moved))
        (token,) = self.tokens()
        self.assertEqual((token.token_hash, token.name, token.project_id), (token_hash(SECRET), "ci", "t-1"))

    def test_left_out(self) -> None:
        """What cannot be moved is listed by its name, and the status says so; the rest is moved."""
        ended = self.run_({"keys": [KEY, {"key": "sk-1234", "key_alias": "by hand"}]})
        self.assertEqual(ended.exit_code, 1)
        self.assertIn("tokens by hand: it is not sk- and 22 characters", ended.stdout)
        self.assertNotIn("sk-1234", ended.output + ended.stderr)
        self.assertEqual(len(self.tokens()), 1)

    def test_project(self) -> None:
        """Keys without a team go to the project that is named, where it is there, else to a new one."""
        database = opened(self, self.path, key=None)
        self.successResultOf(database.projects.create(project("p9", name="search")))
        self.successResultOf(database.close())
        ended = self.run_(stdin=json.dumps([KEY]), options=("--yes", "--project", "search"))
        self.assertEqual(ended.exit_code, 0, ended.output + ended.stderr)
        self.assertNotIn("set-key", ended.stdout)
        (token,) = self.tokens()
        self.assertEqual(token.project_id, "p9")

    def test_of_others(self) -> None:
        """A key whose secret is another token's, and a team whose name is another project's, change nothing there."""
        database = opened(self, self.path, key=None)
        self.successResultOf(database.projects.create(project("p9", name="search")))
        self.successResultOf(database.close())
        ended = self.run_([{"team_id": "t-1", "team_alias": "search"}], [{**KEY, "team_id": "t-1"}])
        self.assertEqual(ended.exit_code, 1)
        self.assertIn("projects t-1: its name is that of project p9", ended.stdout)
        self.assertEqual(self.tokens(), [])

    def test_what_is_wrong(self) -> None:
        """A file that is none of LiteLLM's is said by its name."""
        for document, words in (("{", "is not JSON"), ('"x"', "expected objects"), ("[]", "no key and no team")):
            ended = self.run_(document)
            self.assertEqual(ended.exit_code, 1, document)
            self.assertIn(words, ended.stderr, document)
        missing = CliRunner().invoke(cli, ["db", "import-litellm", "/none.json", "--database", self.path])
        self.assertIn("/none.json: cannot be read", missing.stderr)
        ended = self.run_({"keys": ["ab" * 32]})
        self.assertIn("1 keys are hashes alone: ask LiteLLM with return_full_object=true", ended.stderr)
