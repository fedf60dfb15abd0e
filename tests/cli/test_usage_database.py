"""Usage in the database itself."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.core.tokens import token_hash
from llmproxy.store.people import PeopleStore
from llmproxy.store.usagerecords import UsageRecords

from ..contracts.people_store import person
from ..store.databases import NOW, clock_at, opened, project, token
from ..tables import row
from ..usagereports import DAY, an_entry

SECRET = "sk-" + "a" * 22
ALL = ("--since", "2023-01-01")


class DirectTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        database = opened(self, self.path)
        self.successResultOf(database.projects.create(project(name="search")))
        made = token(name="ci", token_hash=token_hash(SECRET.encode()))
        self.successResultOf(database.tokens.create(made))
        theirs = {0: "o0"}
        entries = [
            an_entry(number, NOW - number * DAY, project_id="p1", token_id="t1", person_id=theirs.get(number, ""))
            for number in range(3)
        ]
        people = PeopleStore(clock_at(), database)
        for number, (email, name) in enumerate((("ann@x.org", "Ann"), ("", "Bob"), ("", "bob"))):
            self.successResultOf(people.note(person(f"o{number}", f"u{number}", email=email, name=name)))
        entries += [an_entry(number, NOW, project_id="p2", user="x") for number in range(3, 2503)]
        self.successResultOf(UsageRecords(clock_at(), database).settle(entries))

    def invoke(self, *arguments: str, input: str | None = None, **env: str | None) -> Result:
        clean = dict.fromkeys(("DATABASE_URL", "DATABASE_PATH", "MANAGEMENT_TOKEN", "ENCRYPTION_KEY"))
        return CliRunner().invoke(cli, ["usage", *arguments], env=clean | env, input=input)

    def said(self, *arguments: str, **more: Any) -> Any:
        result = self.invoke(*arguments, "--json", "--database", self.path, **more)
        self.assertEqual(result.exit_code, 0, result.output)
        return json.loads(result.stdout)

    def test_report(self) -> None:
        """The same as the management API says, names and all, without one."""
        said = self.said("--by", "project,token", *ALL)
        found = [(each["project_name"], each["token_name"], each["requests"], each["cost"]) for each in said["data"]]
        self.assertEqual(found, [(None, None, 2500, "25"), ("search", "ci", 3, "0.03")])
        self.assertIn("forecast", said)
        result = self.invoke("--by", "project", "--direct", *ALL, DATABASE_PATH=self.path)
        self.assertIn("$25.03", result.stdout, result.output)

    def test_filters(self) -> None:
        """A project and a token are found by what people have at hand."""
        for options, more in (
            (("--project", "search"), {}),
            (("--project", "p1"), {}),
            (("--token", "ci"), {}),
            (("--token", "t1"), {}),
            (("--token", SECRET), {}),
            (("--token", "-"), {"input": SECRET}),
        ):
            with row(self, options):
                self.assertEqual(self.said(*options, *ALL, **more)["totals"]["requests"], 3)

    def test_people(self) -> None:
        """A person by what people call them; nobody, and several, are said."""
        for who in ("o0", "ANN@x.org", "ann", "u0"):
            with row(who):
                self.assertEqual(self.said("--person", who, *ALL)["totals"]["requests"], 1)
        for who, status, words in (("nobody", 3, "is called 'nobody'"), ("bob", 1, "2 people are called 'bob'")):
            with row(who):
                result = self.invoke("--person", who, "--database", self.path)
                self.assertEqual(result.exit_code, status, result.output)
                self.assertIn(words, result.stderr)

    def test_records(self) -> None:
        """Single records too, page by page."""
        lines = self.invoke("records", "--format", "jsonl", "--database", self.path).stdout.splitlines()
        self.assertEqual(len({json.loads(line)["id"] for line in lines}), 2503)
        (first, *_) = self.said("records", "--limit", "1")
        self.assertEqual((first["raw"], first["cost"]), ({"prompt_tokens": 1000, "completion_tokens": 200}, "0.01"))

    def test_refused(self) -> None:
        """What is wrong is said in one line, as by the server; nothing is made by looking."""
        for options, status, words in (
            (("--since", "x", "--database", self.path), 1, "from: expected a day"),
            (("--project", "nobody", "--database", self.path), 3, "no project named 'nobody'"),
            (("--token", "nobody", "--database", self.path), 3, "no token named 'nobody'"),
            (("--token", "sk-" + "z" * 22, "--database", self.path), 3, "no token with this secret"),
            (("--database", "/nowhere/x.db"), 1, "there is no such file"),
            (("--database", "nonsense://x"), 1, "nonsense"),
        ):
            with row(self, options):
                result = self.invoke(*options)
                self.assertEqual(result.exit_code, status, result.output)
                self.assertIn(words, result.stderr)
