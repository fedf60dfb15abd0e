"""Tests for L{llmproxy.cli.agentfiles}."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import tomlkit
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.agentfiles import (
    as_toml,
    claude_file,
    claude_managed_file,
    codex_file,
    left_in,
    with_json,
    with_toml,
    write_into,
)
from llmproxy.cli.faults import Fault
from llmproxy.core.agentsetup import AgentSetup, claude_settings, codex_settings

from ..tables import row

URL = "https://proxy.example"
CODEX = codex_settings(AgentSetup(URL, "openai", "command", ("cat", "it's")))
CLAUDE = claude_settings(AgentSetup(URL, "anthropic"))


class PlaceTests(SynchronousTestCase):
    def test_places(self) -> None:
        """Where the programs look themselves."""
        self.patch(os, "environ", {"HOME": "/home/x"})
        self.assertEqual((claude_file(), codex_file()), ("/home/x/.claude/settings.json", "/home/x/.codex/config.toml"))
        self.patch(os, "environ", {"CLAUDE_CONFIG_DIR": "/c", "CODEX_HOME": "/d"})
        self.assertEqual((claude_file(), codex_file()), ("/c/settings.json", "/d/config.toml"))

    def test_managed(self) -> None:
        """The settings of a machine, which its user cannot change."""
        self.assertEqual(claude_managed_file("linux"), "/etc/claude-code/managed-settings.json")
        self.assertIn("/Library/", claude_managed_file("darwin"))


class JsonTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """What is there stays, in its order."""
        before = '{"permissions": {"deny": ["x"]}, "env": {"A": "é", "ANTHROPIC_BASE_URL": "old"}}'
        found = json.loads(with_json(before, CLAUDE))
        self.assertEqual(list(found), ["permissions", "env"])
        self.assertEqual((found["env"]["A"], found["permissions"]), ("é", {"deny": ["x"]}))
        self.assertEqual(found["env"]["ANTHROPIC_BASE_URL"], f"{URL}/anthropic")

    def test_none_of_it(self) -> None:
        """A file that is no settings is left alone; an empty one has nothing in it."""
        for before in ("[]", "{", '{"env": 5}', "[" * 100_000, '{"a": 1e999}', '{"a": NaN}'):
            with row(before[:40]):
                self.assertRaises(ValueError, with_json, before, CLAUDE)
        self.assertEqual(json.loads(with_json("\n", CLAUDE)), CLAUDE)

    def test_left(self) -> None:
        """Variables that win over ours are found."""
        self.assertEqual(
            left_in('{"env": {"ANTHROPIC_API_KEY": "x", "ANTHROPIC_AUTH_TOKEN": ""}}'), ["ANTHROPIC_API_KEY"]
        )


class TomlTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """However people write their providers, ours is put in, and all else, comments too, stays."""
        for before in (
            "",
            "# mine\nmodel = 'x' # y\n",
            "# mine\n[features]\na = true\n",
            "# mine\n[model_providers.other]\nname = 'o'\n\n[features]\na = true\n",
            "# mine\n[model_providers]\nother = {name = 'o'}\n",
            "# mine\nmodel_providers = {other = {name = 'o'}}\n",
            "# mine\nmodel_provider = 'other'\n[model_providers.llmproxy]\nenv_key = 'X'\n"
            "[model_providers.llmproxy.http_headers]\na = 'b'\n[tui]\nx = 1\n",
            "# mine\r\nmodel = 'x'\r\n",
        ):
            after = with_toml(before, CODEX)
            expected = tomlkit.parse(before).unwrap()
            expected["model_provider"] = "llmproxy"
            expected.setdefault("model_providers", {})["llmproxy"] = CODEX["model_providers"]["llmproxy"]
            self.assertEqual(tomlkit.parse(after).unwrap(), expected, before)
            self.assertEqual("# mine" in after, "# mine" in before, before)
            self.assertEqual(with_toml(after, CODEX), after, before)

    def test_none_of_it(self) -> None:
        """What cannot be changed safely is left alone: dotted keys of providers are among it."""
        for before in ("a = ", "model_providers = 5\n", "a = 1\na = 2\n", "model_providers.other.name = 'o'\n"):
            with row(before):
                self.assertRaises(ValueError, with_toml, before, CODEX)

    def test_alone(self) -> None:
        self.assertTrue(as_toml(CODEX).startswith('model_provider = "llmproxy"\n\n[model_providers.llmproxy]\n'))


class WriteTests(SynchronousTestCase):
    def test_new(self) -> None:
        """A file that is new is for its owner alone, as is its folder."""
        path = Path(self.mktemp()) / "below" / "x.json"
        self.assertEqual(write_into(str(path), lambda before: before + "{}"), (True, "{}"))
        self.assertEqual(path.read_text(), "{}")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(os.listdir(path.parent), ["x.json"])

    def test_for_all(self) -> None:
        """Settings of a machine are for all who use it to read."""
        path = Path(self.mktemp()) / "below" / "x.json"
        write_into(str(path), lambda before: "{}", for_all=True)
        self.assertEqual([stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)], [0o644, 0o755])

    def test_there(self) -> None:
        """What was there is beside it; permissions and symbolic links stay; the same again is no change."""
        folder = Path(self.mktemp())
        folder.mkdir()
        real, link = folder / "real", folder / "link"
        real.write_text("a")
        real.chmod(0o640)
        link.symlink_to("real")
        self.assertEqual(write_into(str(link), lambda before: "b"), (True, "b"))
        self.assertTrue(link.is_symlink())
        self.assertEqual((real.read_text(), (folder / "real.bak").read_text()), ("b", "a"))
        self.assertEqual([stat.S_IMODE((folder / x).stat().st_mode) for x in ("real", "real.bak")], [0o640] * 2)
        self.assertEqual(write_into(str(link), lambda before: "b"), (False, "b"))
        self.assertEqual((folder / "real.bak").read_text(), "a")

    def test_left_alone(self) -> None:
        """What cannot be changed is as it was, and the error names the file."""
        folder = Path(self.mktemp())
        folder.mkdir()
        path = folder / "x"
        path.write_bytes(b"\xff")
        self.assertIn("not UTF-8", str(self.assertRaises(Fault, write_into, str(path), str)))
        path.write_text("a")

        def refuse(before: str) -> str:
            raise ValueError("is not JSON")

        self.assertEqual(str(self.assertRaises(Fault, write_into, str(path), refuse)), f"{path}: is not JSON")
        self.assertIn("cannot be written", str(self.assertRaises(Fault, write_into, str(folder), str)))
        self.assertEqual((os.listdir(folder), path.read_text()), (["x"], "a"))
