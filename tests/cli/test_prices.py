"""C{llmproxy prices}."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from sqlalchemy import select
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.store.schema import usage_records
from llmproxy.store.usagerecords import UsageRecords
from tests.tables import row

from ..store.databases import NOW, clock_at, opened
from ..usagereports import an_entry

CONFIG = """
default_api: openai
apis:
  openai: {base_url: https://api.openai.com, allowed_endpoints: [/v1], allowed_methods: [POST]}
  local: {base_url: "http://127.0.0.1:1", allowed_endpoints: [/v1], allowed_methods: [POST]}
prices:
  - {api: openai, model: prod-chat, like: openai/gpt-4o-mini}
  - {api: local, model: "llama*", input: 0.5, output: 1, minute: 0.06, above: {1000: {input: 2}}}
"""


class PricesTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.config = self.mktemp()
        Path(self.config).write_text(CONFIG)

    def run_(self, *arguments: str, config: bool = True, **env: str) -> Result:
        named = ["--config", self.config] if config else []
        clean: Any = {"API_CONFIG_PATH": None, "DATABASE_URL": None, "DATABASE_PATH": None, **env}
        return CliRunner().invoke(cli, ["prices", *arguments, *named], env=clean, catch_exceptions=False)

    def shown(self, *arguments: str, config: bool = True) -> list[dict[str, Any]]:
        result = self.run_("show", *arguments, "--json", config=config)
        self.assertEqual(result.exit_code, 0, result.output)
        found: list[dict[str, Any]] = json.loads(result.stdout)
        return found


class ShowTests(PricesTestCase):
    def test_book(self) -> None:
        """Without a configuration, every vendor that has the model."""
        found = self.shown("gpt-4o-mini", config=False)
        self.assertEqual([each["api"] for each in found], ["azure", "openai"])
        self.assertEqual(found[1]["prices"]["input"], {"usd": "0.15", "for": 1_000_000})
        self.assertTrue(found[1]["from"].startswith("genai-prices-"))

    def test_configuration(self) -> None:
        """What the configuration says stands above the book, by the number of its entry."""
        [mine] = self.shown("prod-chat")
        self.assertEqual((mine["from"], mine["prices"]["output"]["usd"]), ("prices[0]", "0.6"))
        [local] = self.shown("llama3", "--api", "local")
        self.assertEqual(local["prices"]["input"], {"usd": "0.5", "for": 1_000_000, "above": {"1000": "2"}})
        self.assertEqual(local["prices"]["hour"], {"usd": "3.6", "for": 3600})

    def test_all(self) -> None:
        """All that is known, of the APIs of the configuration, or of one of them."""
        found = {(each["api"], each["model"]) for each in self.shown()}
        self.assertLess({("openai", "gpt-4o"), ("local", "llama*")}, found)
        self.assertEqual({api for api, _ in found}, {"openai", "local"})
        self.assertEqual({each["api"] for each in self.shown("--api", "deepseek")}, {"deepseek"})

    def test_table(self) -> None:
        """For people: a row for each, tokens by the million, other things by the piece."""
        output = self.run_("show", "llama3").stdout
        self.assertIn("0.5 (>1000: 2)", output)
        self.assertIn("hour 3.6", output)
        self.assertIn("prices[1]", output)
        self.assertIn("search 0.01", self.run_("show", "gpt-4o").stdout)

    def test_nothing(self) -> None:
        """A model without a price ends with 3, an API that is not there with 1, each with what to do."""
        for arguments, code, words in (
            (("gpt-nobody",), 3, "no price is known of gpt-nobody; prices: in the configuration gives it one"),
            (("llama3", "--api", "openai"), 3, "no price is known of llama3 for openai"),
            (("--api", "opnai"), 1, "there is no API and no vendor 'opnai' (known: openai, local, "),
        ):
            with row(arguments):
                result = self.run_("show", *arguments)
                self.assertEqual(result.exit_code, code)
                self.assertIn(words, result.stderr)

    def test_broken_configuration(self) -> None:
        """One that cannot be used is said, in one line."""
        Path(self.config).write_text("apis: 5\n")
        result = self.run_("show", "gpt-4o")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("apis: expected a mapping", result.stderr)


class StoredTests(PricesTestCase):
    """With a database in which there are some records."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.mktemp()
        self.database = opened(self, self.path)
        records = UsageRecords(clock_at(), self.database)
        used = {"input_tokens": 1_000_000, "output_tokens": 0, "cached_input_tokens": None}
        entries = [
            an_entry(1, NOW, api="openai", provider="openai", served_model="gpt-4o-mini", cost="0.15", **used),
            an_entry(2, NOW, api="local", served_model="llama3", cost="9", **used),
            an_entry(3, NOW, api="local", model="mistral", served_model="", cost=None, **used),
        ]
        self.successResultOf(records.settle(entries))

    def asked(self, *arguments: str) -> Result:
        return self.run_(*arguments, "--database", f"sqlite:///{self.path}")

    def costs(self) -> list[int | None]:
        query = select(usage_records.c.cost).order_by(usage_records.c.id)
        return list(self.successResultOf(self.database.read(lambda each: each.scalars(query).all())))

    def test_check(self) -> None:
        """What was used and has no price is listed, and ends with 1; a price for it mends that."""
        result = self.asked("check", "--since", "2023-01-01")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("mistral", result.stdout)
        self.assertNotIn("llama3", result.stdout)
        self.assertIn('prices: in the configuration gives them one: - {api: local, model: "mistral"', result.stderr)
        found = json.loads(self.asked("check", "--since", "2023-01-01", "--json").stdout)
        self.assertEqual(
            [(each["model"], each["exchanges"], each["input_tokens"]) for each in found], [("mistral", 1, 1_000_000)]
        )
        Path(self.config).write_text(CONFIG + "  - {api: local, input: 0, output: 0}\n")
        result = self.asked("check", "--since", "2023-01-01")
        self.assertEqual(result.exit_code, 0, result.stderr)
        self.assertIn("All of 3 models have a price.", result.stdout)
        self.assertIn("1 exchanges have no cost yet: llmproxy prices recompute", result.stdout)
        self.assertIn("All of 0 models", self.asked("check").stdout)

    def test_recompute(self) -> None:
        """First what would change, by model; then it is changed; then nothing is left to change."""
        before = self.costs()
        result = self.asked("recompute", "--since", "2023-01-01")
        self.assertEqual(result.exit_code, 0, result.stderr)
        self.assertIn("Nothing was changed: 1 of 3 exchanges would be, with --yes.", result.stdout)
        self.assertRegex(result.stdout, r"local +llama3 +1 +1 +9 +2 +-7")
        self.assertNotIn("gpt-4o-mini", result.stdout)
        self.assertEqual(self.costs(), before)
        self.assertIn(
            "1 of 3 exchanges were given another cost.", self.asked("recompute", "--since", "2023-01", "-y").stdout
        )
        self.assertEqual(sorted(each or 0 for each in self.costs()), [0, 150_000, 2_000_000])
        again = json.loads(self.asked("recompute", "--since", "2023-01", "--json").stdout)
        self.assertEqual((again["written"], again["exchanges"], again["models"]), (False, 3, []))

    def test_prices_known(self) -> None:
        """Without the configuration nothing is changed by the book, unless that is said; what is shown says so."""
        before = self.costs()
        where = ("--database", f"sqlite:///{self.path}")
        result = self.run_("recompute", "--since", "2023-01", "-y", *where, config=False)
        self.assertEqual(result.exit_code, 2)
        self.assertIn("there is no ./config/api_providers.yaml: name the configuration", result.stderr)
        for arguments, code in ((("check", "--since", "2023-01"), 1), (("recompute", "--since", "2023-01"), 0)):
            with row(arguments):
                result = self.run_(*arguments, *where, config=False)
                self.assertEqual(result.exit_code, code)
                self.assertIn("these are the prices of the book", result.stderr)
        self.assertEqual(self.asked("recompute", "--since", "2023-01", "--book-only").exit_code, 2)
        self.assertEqual(self.costs(), before)
        result = self.run_("recompute", "--since", "2023-01", "--book-only", *where, config=False)
        self.assertIn("Of 3 exchanges none would cost anything else.", result.stdout)
        result = self.run_("check", "--since", "2023-01", "--book-only", *where, config=False)
        self.assertIn("2 models have no price", result.stderr)
        self.assertNotIn("warning", result.stderr)
        # One that is named in the environment is as good.
        result = self.run_("recompute", "--since", "2023-01", *where, config=False, API_CONFIG_PATH=self.config)
        self.assertIn("1 of 3 exchanges would be", result.stdout)

    def test_quickstart(self) -> None:
        """A proxy of C{quickstart} has no configuration: the book is what it goes by."""
        os.makedirs("llmproxy-data")
        self.addCleanup(shutil.rmtree, "llmproxy-data")
        with closing(sqlite3.connect(self.path)) as one, closing(sqlite3.connect("llmproxy-data/llmproxy.db")) as other:
            one.backup(other)
        result = self.run_("recompute", "--since", "2023-01", "-y", config=False)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertIn("0 of 3 exchanges were given another cost.", result.stdout)

    def test_no_use(self) -> None:
        """What is asked for wrongly is an error of use; a database that is not there is one of its own."""
        for arguments, code in (
            (("recompute",), 2),
            (("recompute", "--since", "soon"), 2),
            (("recompute", "--since", "1d", "--until", "2d"), 2),
        ):
            with row(arguments):
                self.assertEqual(self.asked(*arguments).exit_code, code)
        missing = self.run_("check", "--database", "sqlite:///nowhere.db")
        self.assertEqual(missing.exit_code, 1)
        self.assertIn("there is no such file", missing.stderr)
