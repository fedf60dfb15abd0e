"""What was used, from a request at the port to what people and programs are shown of it."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import signal
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from click.testing import Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.management.usageanswers import RECORD

from .databases import new_database
from .processes import LLMPROXY, free_port, start
from .test_cli import invoke, quickstart

PATIENCE = 30.0
"""Seconds that anything is waited for."""


def until(found: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """What is found once it is enough."""
    ends = monotonic() + PATIENCE
    while not enough(last := found()):
        if monotonic() > ends:
            raise AssertionError(f"after {PATIENCE} s there was {last}")
        sleep(0.05)
    return last


class QuickstartTests(SynchronousTestCase):
    """A proxy of C{llmproxy quickstart}, its demo upstream, and commands."""

    def setUp(self) -> None:
        self.directory = quickstart()
        self.data = Path(self.directory, "llmproxy-data")
        key = (self.data / "demo-upstream-key").read_text()
        self.name = f"usage of {self.id()}"
        self.said("project", "create", "--name", self.name, "--api-key", "-", input=key)
        self.issued = self.said("token", "create", "--project", self.name, "--max-requests", "3", "--name", "ci")

    def ok(self, *arguments: str, **more: Any) -> str:
        result: Result = invoke(self.directory, *arguments, **more)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.stdout

    def said(self, *arguments: str, **more: Any) -> Any:
        return json.loads(self.ok(*arguments, "--json", **more))

    def chat(self, words: str) -> Result:
        return invoke(self.directory, "chat", "--no-stream", "--model", "demo", words, PROXY_TOKEN=self.issued["token"])

    def about_itself(self) -> Any:
        address = (self.data / "address").read_text().strip()
        request = urllib.request.Request(f"{address}/usage", headers={"x-api-key": self.issued["token"]})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def report(self, *options: str) -> Any:
        return self.said("usage", "--project", self.name, *options)

    def test_shown(self) -> None:
        """What was asked is in the report, the records and the token's own numbers, and they agree."""
        for words in ("good morning", "good night"):
            self.assertEqual(self.chat(words).exit_code, 0, words)
        said = until(
            lambda: self.report("--by", "project,token,served_model"), lambda found: found["totals"]["requests"] == 2
        )
        (found,) = said["data"]
        self.assertEqual((found["project_name"], found["token_name"], found["errors"]), (self.name, "ci", 0))
        self.assertEqual(found["served_model"], "demo")
        self.assertGreater(found["input_tokens"], 0)
        self.assertGreater(found["output_tokens"], 0)

        own = self.about_itself()
        self.assertEqual((own["token_id"], own["request_count"], own["remaining_requests"]), (self.issued["id"], 2, 1))
        self.assertEqual(own["totals"], said["totals"])

        records = self.said("usage", "records", "--token", "ci", "--project", self.name)
        self.assertEqual(sum(each["output_tokens"] for each in records), found["output_tokens"])
        text = self.ok("usage", "records", "--project", self.name, "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual((len(rows), tuple(rows[0])), (2, RECORD))
        self.assertEqual([each["id"] for each in rows], [each["id"] for each in records])

        table = self.ok("usage", "--project", self.name, "--by", "api")
        self.assertIn(f"{found['output_tokens']:,}", table)
        database = str(self.data / "llmproxy.db")
        direct = self.said(
            "usage", "--project", self.name, "--by", "project,token,served_model", "--database", database
        )
        self.assertEqual((direct["data"], direct["totals"]), (said["data"], said["totals"]))

    def test_used_up(self) -> None:
        """A token that is used up is told so, what was refused is an error in the report, and asking costs nothing."""
        for _ in range(3):
            self.assertEqual(self.chat("hello").exit_code, 0, "a use that is left")
        self.assertNotEqual(self.chat("hello").exit_code, 0)
        said = until(lambda: self.report("--by", "status"), lambda found: found["totals"]["requests"] == 4)
        self.assertEqual({each["status"]: each["requests"] for each in said["data"]}, {200: 3, 429: 1})
        for _ in range(3):
            own = self.about_itself()
            self.assertEqual((own["request_count"], own["remaining_requests"]), (3, 0))
        self.ok("token", "revoke", self.issued["id"])
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.about_itself()
        self.assertEqual(refused.exception.code, 401)

    def test_pointed_to(self) -> None:
        """When the first request has been answered, quickstart says where usage is shown."""
        self.chat("hello")
        stdout = os.path.join(self.directory, "stdout")
        until(lambda: Path(stdout).read_text(), lambda text: "What it used: llmproxy usage\n" in text)


CONFIG = """
default_api: openai
apis:
  openai:
    base_url: http://127.0.0.1:{port}
    allowed_endpoints: [/v1/chat/completions]
    allowed_methods: [POST]
    dialect: openai
prices:
  - {{api: openai, model: demo, input: 2, output: 3}}
ledger: {{directory: ledger}}
"""


class _Served:
    """C{llmproxy serve} with two workers, on a database of its own, before the demo upstream."""

    kind: str
    directory: str
    env: dict[str, str]

    def serve(self) -> None:
        self.directory = self.mktemp()  # type: ignore[attr-defined]
        Path(self.directory).mkdir()
        upstream, port = free_port(), free_port()
        Path(self.directory, "key").write_text("sk-demo-0123456789")
        Path(self.directory, "apis.yaml").write_text(CONFIG.format(port=upstream))
        self.begin("demo-upstream", "--listen", f"127.0.0.1:{upstream}", "--key-file", "key")
        self.env = {"MANAGEMENT_TOKEN": secrets.token_hex(16), "DATABASE_URL": new_database(self, self.kind)}
        serving = ("serve", "--config", "apis.yaml", "--listen", f"127.0.0.1:{port}", "--workers", "2")
        self.begin(*serving, ENCRYPTION_KEY=b64encode(bytes(32)).decode(), **self.env)
        self.env |= {"MANAGE_API_BASE_URL": f"http://127.0.0.1:{port}", "PROXY_URL": f"http://127.0.0.1:{port}"}
        until(lambda: self.invoke("project", "list").exit_code, lambda status: status == 0)

    def begin(self, *arguments: str, **env: str) -> None:
        directory = os.path.join(self.directory, arguments[0])
        os.mkdir(directory)
        for name in ("key", "apis.yaml"):
            os.symlink(os.path.abspath(os.path.join(self.directory, name)), os.path.join(directory, name))
        process = start((*LLMPROXY, *arguments), directory, **env)

        def end() -> None:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)

        self.addCleanup(end)  # type: ignore[attr-defined]

    def invoke(self, *arguments: str, **env: str) -> Result:
        return invoke(self.directory, *arguments, **{**self.env, **env})

    def said(self, *arguments: str) -> Any:
        result = self.invoke(*arguments, "--json")
        self.assertEqual(result.exit_code, 0, result.output)  # type: ignore[attr-defined]
        return json.loads(result.stdout)

    def test_shown(self) -> None:
        """What was asked of several workers is in one report, over the API and read from the database itself."""
        self.serve()
        self.said("project", "create", "--name", "search", "--api-key-file", "key")
        token = self.said("token", "create", "--project", "search")["token"]
        for _ in range(6):
            chat = self.invoke("chat", "--no-stream", "--model", "demo", "hello", PROXY_TOKEN=token)
            self.assertEqual(chat.exit_code, 0, chat.output)
        asked = ("usage", "--by", "project,day,served_model")
        until(lambda: self.said(*asked), lambda found: found["totals"]["requests"] == 6)
        # The forecast of that answer may have been read a moment before its rows were there.
        said = self.said(*asked)
        (found,) = said["data"]
        self.assertEqual((found["project_name"], found["served_model"]), ("search", "demo"))
        cost = Decimal(2 * found["input_tokens"] + 3 * found["output_tokens"]) / 1_000_000
        self.assertEqual(Decimal(found["cost"]), cost)
        self.assertEqual(said["forecast"]["so_far"], found["cost"])
        direct = self.said(*asked, "--direct")
        self.assertEqual((direct["data"], direct["totals"]), (said["data"], said["totals"]))
        records = [
            json.loads(line) for line in self.invoke("usage", "records", "--format", "jsonl").stdout.splitlines()
        ]
        self.assertEqual(sum(Decimal(each["cost"]) for each in records), cost)
        self.assertEqual(self.said("usage", "records", "--direct"), records)


class SqliteTests(_Served, SynchronousTestCase):
    """SQLite."""

    kind = "sqlite"


class PostgresqlTests(_Served, SynchronousTestCase):
    """PostgreSQL."""

    kind = "postgresql"


class MysqlTests(_Served, SynchronousTestCase):
    """MariaDB."""

    kind = "mysql"
