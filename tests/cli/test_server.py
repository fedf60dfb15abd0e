"""C{llmproxy server}: its flags; tests/integration/test_oldcommands.py starts it."""

from __future__ import annotations

import os
from typing import Any

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.cli.server import BUILT_IN, _environment, command
from llmproxy.config import load_api_config

FLAGS = (
    "--daemon -d --env --addr --db --log-level --pid-file -v --debug --log-file -c --config --file-event-log".split()
)
NONE: dict[str, str | None] = dict.fromkeys(("addr", "db", "log_level", "log_file", "config", "file_event_log"))


class ServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        os.makedirs(directory := self.mktemp())
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory)

    def invoke(self, *arguments: str, **env: str) -> Any:
        known = {name: None for name in os.environ if name.startswith(("LOG_", "API_", "DATABASE_", "DEBUG"))}
        return CliRunner().invoke(cli, ["server", *arguments], env={**known, **env})

    def test_flags(self) -> None:
        """All flags of the original are there."""
        known = {option for parameter in command.params for option in parameter.opts}
        self.assertEqual(set(FLAGS) - known, set())

    def test_above_variables(self) -> None:
        """A flag stands above its variable, wherever that is said; what nobody says is the original's."""
        said = {"addr": ":9", "db": "x.db", "log_level": "warn", "log_file": "l", "config": "c", "file_event_log": "e"}
        env = _environment({"LISTEN_ADDR": ":1", "LOG_FORMAT": "console"}, said, False)
        self.assertEqual((env["LISTEN_ADDR"], env["DATABASE_PATH"], env["LOG_LEVEL"]), (":9", "x.db", "warn"))
        self.assertEqual((env["LOG_FILE"], env["API_CONFIG_PATH"], env["FILE_EVENT_LOG"]), ("l", "c", "e"))
        self.assertNotEqual(env.get("LOG_FORMAT"), "json")
        self.assertEqual(_environment({}, NONE, False)["LOG_FORMAT"], "json")

    def test_debug(self) -> None:
        """C{-v} and C{DEBUG=1} are the level debug, above C{--log-level}; what others mean by DEBUG is nothing."""
        for known, debug, level in (
            ({}, True, "debug"),
            ({"DEBUG": "1"}, False, "debug"),
            ({"DEBUG": "a:*"}, False, "x"),
        ):
            self.assertEqual(_environment(known, {**NONE, "log_level": "x"}, debug)["LOG_LEVEL"], level, known)

    def test_built_in(self) -> None:
        """Without a file of APIs OpenAI's is served, at the address that was said; a file that was named has to be."""
        self.assertEqual(_environment({}, NONE, False)["API_CONFIG_PATH"], BUILT_IN)
        self.assertNotEqual(_environment({"API_CONFIG_PATH": "x"}, NONE, False).get("API_CONFIG_PATH"), BUILT_IN)
        config = load_api_config(BUILT_IN, env={"OPENAI_API_URL": "http://127.0.0.1:9"})
        self.assertEqual(config.apis["openai"].base_url, "http://127.0.0.1:9")
        os.makedirs("config")
        open("config/api_providers.yaml", "w").close()
        self.assertNotEqual(_environment({}, NONE, False).get("API_CONFIG_PATH"), BUILT_IN)

    def test_all_problems(self) -> None:
        """What is wrong is said on stderr, and the status is 1."""
        ended = self.invoke("-c", "none.yaml", MANAGEMENT_TOKEN="")
        self.assertEqual((ended.exit_code, ended.stdout), (1, ""))
        self.assertIn("none.yaml: cannot be read", ended.stderr)
        self.assertIn("MANAGEMENT_TOKEN", ended.stderr)

    def test_dotenv(self) -> None:
        """A file of variables that was named and is not there is said; its usual place may be empty."""
        self.assertIn("warning: --env: nowhere is not there", self.invoke("--env", "nowhere", "-c", "x").stderr)
        self.assertNotIn("--env", self.invoke("-c", "x").stderr)
        with open(".env", "w") as file:
            file.write("not a variable")
        self.assertIn(".env:1:1: expected NAME=value", self.invoke("-c", "x").stderr)

    def test_daemon_needs_a_log(self) -> None:
        """In the background nobody would see what it says."""
        ended = self.invoke("-d")
        self.assertEqual(ended.exit_code, 1)
        self.assertIn("--log-file must be specified", ended.stderr)
        self.assertEqual(self.invoke(DAEMON="true").exit_code, 1)
