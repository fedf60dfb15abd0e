"""C{llmproxy setup}."""

from __future__ import annotations

import json
import os
import stat
from base64 import b64encode
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.cli.setup_files import HONOURED, variables_there
from llmproxy.config import load_api_config
from llmproxy.config.databases import parse_encryption_key
from llmproxy.config.environment import read_environment
from llmproxy.core.tokens import token_hash
from llmproxy.providers.registry import SETUPS
from llmproxy.store.database import Database

from ..store.databases import opened

KEY = "sk-provider-canary-key"


class SetupTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        os.mkdir(directory := self.mktemp())
        os.chdir(directory)
        self.env: dict[str, str] = {}

    def setup_proxy(self, *options: str, input: str = KEY, key: bool = True) -> Result:
        arguments = ["setup", "--non-interactive", *(["--api-key", "-"] if key else []), *options]
        env = {"UPSTREAM_API_KEY": None, **dict.fromkeys(HONOURED), **self.env}
        return CliRunner().invoke(cli, arguments, input=input, env=env)

    def database(self) -> Database:
        key = parse_encryption_key(variables_there(".env")["ENCRYPTION_KEY"])
        return opened(self, os.path.join("data", "llm-proxy.db"), key=key)

    def test_everything(self) -> None:
        """Files that the proxy starts with, and a project and a token that are really there."""
        result = self.setup_proxy("--json", "--addr", "127.0.0.1:9000")
        self.assertEqual(result.exit_code, 0, result.output)
        said: dict[str, Any] = json.loads(result.stdout)
        environment = read_environment(variables_there(".env"), lambda path: "")
        self.assertEqual(environment.listen, ("tcp:9000:interface=127.0.0.1",))
        self.assertEqual(load_api_config(said["apis"]).default_api, "openai")
        database = self.database()
        token = self.successResultOf(database.tokens.by_hash(token_hash(said["token"].encode())))
        project = self.successResultOf(database.projects.get(said["project_id"]))
        assert token is not None and project is not None
        self.assertEqual(
            (token.project_id, project.name, project.api_keys["openai"][0]), (project.id, "DefaultProject", KEY)
        )
        self.assertNotIn(KEY, result.output + Path(".env").read_text())

    def test_what_is_set(self) -> None:
        """The environment counts for the proxy, so it does here: what is made can be opened in the next shell too."""
        self.env = {
            "ENCRYPTION_KEY": b64encode(bytes(range(32))).decode(),
            "MANAGEMENT_TOKEN": "management-canary-0123456789",
            "DATABASE_PATH": "kept/x.db",
            "LISTEN_ADDR": "127.0.0.1:9001",
            "API_CONFIG_PATH": "kept/apis.yaml",
        }
        result = self.setup_proxy()
        self.assertEqual(result.exit_code, 0, result.output)
        written = variables_there(".env")
        self.assertEqual({name: written[name] for name in self.env}, self.env)
        self.assertTrue(os.path.exists("kept/apis.yaml"))
        opened(self, "kept/x.db", key=bytes(range(32)))

    def test_a_key_in_a_file(self) -> None:
        """A secret that a file holds stays there, and no second one is made beside it."""
        Path("key").write_text(b64encode(bytes(32)).decode() + "\n")
        self.env = {"ENCRYPTION_KEY_FILE": os.path.abspath("key")}
        result = self.setup_proxy()
        self.assertEqual(result.exit_code, 0, result.output)
        written = variables_there(".env")
        self.assertEqual(written["ENCRYPTION_KEY_FILE"], os.path.abspath("key"))
        self.assertNotIn("ENCRYPTION_KEY", written)
        opened(self, "data/llm-proxy.db", key=bytes(32))

    def test_two_keys(self) -> None:
        """Two keys are no key: nothing is written that one of them could not read."""
        self.assertEqual(self.setup_proxy().exit_code, 0)
        self.env = {"ENCRYPTION_KEY": b64encode(bytes(32)).decode()}
        result = self.setup_proxy("--force", "--project", "another")
        self.assertNotEqual(result.exit_code, 0)
        self.assertIn("ENCRYPTION_KEY is set in the environment, and is another one in .env", result.output)

    def test_another_database(self) -> None:
        """DATABASE_URL stands above a path, as it does for the proxy."""
        self.env = {"DATABASE_URL": "sqlite:///url.db"}
        result = self.setup_proxy()
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertTrue(os.path.exists("url.db"))
        self.assertNotIn("DATABASE_PATH", variables_there(".env"))
        result = self.setup_proxy("--force", "--project", "another", "--db", "x.db")
        self.assertIn("DATABASE_URL is set, and stands above --db", result.output)

    def test_private(self) -> None:
        """Files with secrets are their owner's alone, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        self.setup_proxy("--token-file", "token.txt")
        for path in (".env", "token.txt", "data/llm-proxy.db"):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
        self.assertTrue(Path("token.txt").read_text().startswith("sk-"))

    def test_for_people(self) -> None:
        """What was made, the token once, and what to do next."""
        words = self.setup_proxy().stdout
        self.assertIn("llmproxy serve --env .env", words)
        self.assertIn("llmproxy chat --proxy http://localhost:8080", words)
        self.assertRegex(words, r"Token    sk-[A-Za-z0-9_-]{22}  ")

    def test_again(self) -> None:
        """Nothing that is there is changed unasked; when it is, secrets and what was not named stay as they were."""
        self.setup_proxy("--addr", ":9999")
        Path(".env").write_text(Path(".env").read_text() + "LOG_LEVEL=debug\n")
        before = variables_there(".env")
        self.assertEqual(self.setup_proxy("--project", "two").exit_code, 6)
        self.assertEqual(variables_there(".env"), before)
        again = self.setup_proxy("--project", "two", "--force")
        self.assertEqual((again.exit_code, variables_there(".env")), (0, before))
        names = [each.name for each in self.successResultOf(self.database().projects.list())]
        self.assertEqual(names, ["DefaultProject", "two"])
        taken = self.setup_proxy("--force")
        self.assertEqual((taken.exit_code, "--project names another" in taken.stderr), (6, True))

    def test_asks(self) -> None:
        """In a terminal everything is asked for, with a default that a line feed takes."""
        answers = "anthropic\n:7000\n\nmine\n"
        env = {"UPSTREAM_API_KEY": KEY}
        result = CliRunner().invoke(cli, ["setup", "--interactive"], input=answers, env=env)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("Project  mine", result.stdout)
        self.assertEqual(variables_there(".env")["LISTEN_ADDR"], ":7000")
        self.assertEqual(load_api_config("config/api_providers.yaml").apis["anthropic"].dialect, "anthropic")

    def test_without_a_project(self) -> None:
        """Only the files; no key is needed then."""
        result = self.setup_proxy("--skip-project", key=False)
        self.assertEqual((result.exit_code, os.path.exists("data")), (0, False))

    def test_every_provider(self) -> None:
        """The file of every provider is one that the proxy takes."""
        for name in SETUPS:
            result = self.setup_proxy(
                "--skip-project", "--provider", name, "--apis", f"{name}.yaml", "--force", key=False
            )
            self.assertEqual(result.exit_code, 0, result.output)
            self.assertEqual(list(load_api_config(f"{name}.yaml").apis), [name], name)

    def test_mistakes(self) -> None:
        """What the proxy could not start with is refused before anything is written."""
        for options in (
            ("--addr", "nowhere"),
            ("--base-url", "ftp://x"),
            ("--duration", "soon"),
            ("--duration", "1s"),
            ("--provider", "nobody"),
        ):
            self.assertNotEqual(self.setup_proxy(*options).exit_code, 0, options)
        self.assertNotEqual(self.setup_proxy(input="").exit_code, 0)
        self.assertEqual(os.listdir("."), [])

    def test_a_file_that_is_none(self) -> None:
        """A file that cannot be understood is not replaced."""
        Path(".env").write_text("what is this\n")
        self.assertEqual(self.setup_proxy("--force").exit_code, 1)
        self.assertEqual(Path(".env").read_text(), "what is this\n")
