"""Files and rows that a first start needs; tests/cli/test_setup.py has the command."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.faults import Conflicting, Fault
from llmproxy.cli.setup_files import Done, Plan, apis_of, carry_out, variables_there, write_private
from llmproxy.config import load_api_config
from llmproxy.providers.registry import SETUPS

from ..properties import examples
from ..tables import row

SECRETS = {"management_token": "canary-management", "api_key": "sk-canary-upstream"}
PLAN = Plan(".env", "apis.yaml", "openai", None, "", "", "p", 3600.0, None, False, **SECRETS)


class SettingUpCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        os.mkdir(directory := self.mktemp())
        os.chdir(directory)


class CarryOutTests(SettingUpCase):
    def test_defaults(self) -> None:
        """What nobody names is taken from what is there, and from us if nothing is."""
        done = carry_out(evolve(PLAN, skip_project=True), {})
        self.assertEqual((done.plan.db, done.plan.addr), ("data/llm-proxy.db", "localhost:8080"))
        done = carry_out(evolve(PLAN, skip_project=True), {"DATABASE_PATH": "d", "LISTEN_ADDR": ":1", "A": "b"})
        self.assertEqual((done.plan.db, done.plan.addr), ("d", ":1"))
        self.assertEqual(variables_there(".env")["A"], "b")
        self.assertFalse(os.path.exists("d"), "a database was made, though no project was wanted")

    def test_keys_are_kept(self) -> None:
        """What is encrypted already can still be read; what is new is random."""
        keys = []
        for there in ({}, {}, {"ENCRYPTION_KEY": "QUFB" * 10 + "QUE="}):
            carry_out(evolve(PLAN, management_token="", skip_project=True), there)
            found = variables_there(".env")
            keys += [found["ENCRYPTION_KEY"], found["MANAGEMENT_TOKEN"]]
        self.assertEqual((len(set(keys)), keys[4]), (6, "QUFB" * 10 + "QUE="))

    def test_refused(self) -> None:
        """What the proxy would not start with is refused before anything is written, and no secret is told."""
        for changes, there, words in (
            ({"addr": "nowhere"}, {}, "expected an address"),
            ({"addr": "nowhere:8080"}, {}, "no endpoint 'nowhere'"),
            ({"base_url": "ftp://x"}, {}, "--base-url: "),
            ({}, {"ENCRYPTION_KEY": "canary"}, "base64 of 32 bytes"),
            ({"project": " "}, {}, "--project: invalid name"),
            ({"project": "n" * 256}, {}, "--project: invalid name: at most 255 characters"),
            ({"api_key": "canary...key"}, {}, "the API key of openai: cannot save obfuscated API key"),
        ):  # fmt: skip
            with row(changes):
                failure = self.assertRaises(Fault, carry_out, evolve(PLAN, **changes), there)
            self.assertIn(words, failure.message)
            self.assertNotIn("canary", failure.message)
            self.assertEqual(os.listdir("."), [], (changes, there, words))

    def test_name_is_taken(self) -> None:
        """A project that is there is not made twice."""
        carry_out(PLAN, {})
        self.assertRaises(Conflicting, carry_out, PLAN, variables_there(".env"))


class DoneTests(SettingUpCase):
    def test_secret_is_told_once(self) -> None:
        """The token is shown, or is in its file; never both, and other secrets are in neither."""
        shown = carry_out(PLAN, {})
        self.assertIn(shown.token, "\n".join(shown.words()))
        filed = carry_out(evolve(PLAN, project="q", token_file="t"), variables_there(".env"))
        self.assertNotIn(Path("t").read_text().strip(), "\n".join(filed.words()) + str(filed.plain()) + repr(filed))
        self.assertEqual((filed.token, filed.plain()["token_file"]), ("", "t"))
        for done in (shown, filed):
            self.assertNotIn("canary", repr(done) + str(done.plain()) + "\n".join(done.words()))
        self.assertNotIn(shown.token, repr(shown))

    def test_address(self) -> None:
        """What is said to be tried can be connected to."""
        for addr, url in (
            (":80", "http://localhost:80 "),
            ("10.0.0.1:80", "http://10.0.0.1:80 "),
            ("tcp:80", "http://localhost:80 "),
            ("tcp:80:interface=10.0.0.1", "http://10.0.0.1:80 "),
        ):
            self.assertIn(url, Done(evolve(PLAN, addr=addr), "id", "sk-x").words()[-1])

    def test_without_project(self) -> None:
        """Nothing is said of what was not made."""
        done = Done(evolve(PLAN, db="d"))
        self.assertEqual(done.plain(), {"config": ".env", "apis": "apis.yaml", "database": "d"})
        self.assertNotIn("chat", "\n".join(done.words()))


class FilesTests(SettingUpCase):
    def test_providers(self) -> None:
        """Each provider's file is one that the proxy starts with, at another address too."""
        for provider in SETUPS:
            for base_url in (None, "http://127.0.0.1:9/base"):
                Path("apis.yaml").write_text(apis_of(evolve(PLAN, provider=provider, base_url=base_url)))
                config = load_api_config("apis.yaml")
                self.assertEqual((config.default_api, list(config.apis)), (provider, [provider]), base_url)
                expected = base_url or SETUPS[provider].setup.base_url  # type: ignore[union-attr]
                self.assertEqual(config.apis[provider].base_url, expected, base_url)

    @given(value=st.text(st.characters(exclude_categories=["Cs"])))
    @settings(max_examples=examples(50), deadline=None)
    def test_any_value(self, value: str) -> None:
        """Whatever a variable holds is the same after it was written and read again."""
        carry_out(evolve(PLAN, skip_project=True), {"OTHER": value})
        self.assertEqual(variables_there(".env")["OTHER"], value)

    def test_not_understood(self) -> None:
        """A file that is not there holds nothing; one that cannot be read is not taken for empty."""
        self.assertEqual(variables_there(".env"), {})
        for content in (b"KEY canary", b"A=\xff"):
            Path(".env").write_bytes(content)
            with row(content):
                self.assertNotIn("canary", self.assertRaises(Fault, variables_there, ".env").message)
        self.assertRaises(Fault, variables_there, ".")

    def test_replaced(self) -> None:
        """A file is replaced whole, with its new mode and without a trace of how."""
        self.addCleanup(os.umask, os.umask(0))
        write_private("a/b", "long ago", mode=0o644)
        write_private("a/b", "x")
        self.assertEqual(Path("a/b").read_text(), "x")
        self.assertEqual([stat.S_IMODE(os.stat(path).st_mode) for path in ("a", "a/b")], [0o700, 0o600])
        self.assertEqual(os.listdir("a"), ["b"])

    def test_cannot_be_written(self) -> None:
        """It is told in a line; what was there stays, and nothing half is left."""
        os.mkdir("d")
        Path("f").write_text("x")
        for path in ("d", "f/x"):
            with row(path):
                failure: Any = self.assertRaises(Fault, write_private, path, "secret")
            self.assertRegex(failure.message, f"^{path}: cannot be written: [^\n]+$")
        self.assertEqual((sorted(os.listdir(".")), Path("f").read_text()), (["d", "f"], "x"))
