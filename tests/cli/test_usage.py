"""C{llmproxy usage}."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.usage import since_of
from llmproxy.core.reports import SUMS
from llmproxy.management.usageanswers import RECORD

from ..store.databases import NOW
from ..tables import row
from ..usagereports import DAY, an_entry
from ..web.manage.usageapi import UsageManageTestCase
from .api import CommandTestCase

SINCE = ("--since", "2023-11-01")

GOLDEN = """\
Usage from 2023-11-01 to now, UTC
Day          Project   Model    Requests   Errors   Input   Output      Cost
────────────────────────────────────────────────────────────────────────────
2023-11-13   search    gpt-4o          1        0   1,000      200   $0.0123
2023-11-14   search    o3              1        0   2,000      400     $2.50
2023-11-14   -         o3              1        1       0        0     $0.00
Total                                  3        1   3,000      600     $2.51
1 of 3 answers did not say what they used: nothing of it is in the sums.
2023-11 will cost $8.34 at the rate of the last 7 days ($0.3627 a day); $2.51 until now, $7.00 last month.
"""


class UsageCommandTestCase(UsageManageTestCase, CommandTestCase):
    def query(self) -> dict[str, list[str]]:
        """What the server was asked last."""
        return parse_qs(urlsplit(self.asked[-1][1]).query)


class ReportTests(UsageCommandTestCase):
    def filled(self) -> str:
        project = self.project("search")
        unseen: dict[str, Any] = {"cached_input_tokens": None, "project_id": project}
        self.reports.entries = [
            an_entry(1, NOW - DAY, cost="0.01234", **unseen),
            an_entry(2, NOW, model="o3", input_tokens=2000, output_tokens=400, cost="2.5", **unseen),
            an_entry(
                3,
                NOW,
                model="o3",
                input_tokens=None,
                output_tokens=None,
                cost=None,
                unknown=True,
                status=502,
                ending="upstream_failed",
                **unseen | {"project_id": ""},
            ),
            an_entry(4, NOW - 20 * DAY, cost="7", **unseen),
        ]
        return project

    def test_table(self) -> None:
        """A table for people: groups, sums that there are, totals, and what the month will cost."""
        self.filled()
        result = self.invoke("usage", "--by", "day,project,model", *SINCE)
        self.assertEqual((result.exit_code, result.stdout), (0, GOLDEN), result.output)

    def test_json(self) -> None:
        """Scripts get the server's answer, exact, the forecast with it."""
        self.filled()
        said = self.said("usage", "--by", "model", *SINCE)
        self.assertEqual(said["totals"]["cost"], "2.51234")
        self.assertEqual(said["forecast"]["so_far"], "2.51234")

    def test_csv(self) -> None:
        """A line a row, exact, ids and names; nothing of it is a formula."""
        self.filled()
        self.reports.entries.append(an_entry(5, NOW, user="=1+1", cost="0.000001"))
        result = self.invoke("usage", "--by", "project,user", "--csv", *SINCE)
        rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
        self.assertEqual(list(rows[0]), ["project_id", "project_name", "user", *SUMS])
        self.assertEqual([each["cost"] for each in rows], ["2.51234", "0.000001", "0"])
        self.assertEqual((rows[0]["project_name"], rows[1]["user"]), ("search", "'=1+1"))

    def test_question(self) -> None:
        """Options are the parameters of the API; names become ids, and times are the server's to read."""
        project = self.project("search")
        token, secret = self.token(project, name="ci")
        other, _ = self.token(project, name="twin")
        another, _ = self.token(project, name="twin")
        for options, query in (
            (("--by", "day", "--by", "tag:team"), {"group_by": ["day,tag:team"]}),
            (("--since", "7d", "--until", "1h"), {"from": ["7d"], "to": ["1h"]}),
            (("--project", "search"), {"project_id": [project]}),
            (("--project", project), {"project_id": [project]}),
            (("--token", token), {"token_id": [token]}),
            (("--token", secret.decode()), {"token_id": [token]}),
            (("--token", "ci"), {"token_id": [token]}),
            (("--token", "twin"), {"token_id": [",".join(sorted((other, another), reverse=True))]}),
            (("--api", "openai", "--api", "gemini"), {"api": ["openai,gemini"]}),
            (("--model", "gpt-4o", "--tz", "Europe/Berlin", "--top", "3"), {"model": ["gpt-4o"], "top": ["3"]}),
        ):
            with row(self, options):
                result = self.invoke("usage", *options)
                self.assertEqual(result.exit_code, 0, result.output)
                asked = self.query()
                self.assertEqual({name: asked[name] for name in query}, query)
                self.assertEqual(asked["forecast"], ["true"])

    def test_until_alone(self) -> None:
        """Where only the end is given, nothing begins by itself."""
        self.invoke("usage", "--until", "2020-01-01")
        self.assertNotIn("from", self.query())

    def test_default_span(self) -> None:
        """Without a span, as many whole periods are shown as fit a screen, the present one included."""
        for by, tz, since in (
            ("day", "UTC", "2023-11-08"),
            ("day,model", "Asia/Tokyo", "2023-11-09"),
            ("model,month", "UTC", "2022-12-01"),
            ("week", "UTC", "2023-09-25"),
            ("hour", "UTC", "2023-11-13T23:00:00+00:00"),
            ("project", "UTC", "2023-10-16"),
            ("", "UTC", "2023-10-16"),
        ):
            with row(self, by, tz):
                self.assertEqual(since_of(by, tz, NOW), since)

    def test_nothing(self) -> None:
        """Of nothing there is a sentence, an empty list, and the names of the columns."""
        self.assertIn("Nothing was used in this time.", self.invoke("usage").stdout)
        self.assertEqual(self.said("usage")["data"], [])
        self.assertEqual(self.invoke("usage", "--csv").stdout, ",".join(["day", *SUMS]) + "\n")

    def test_refused(self) -> None:
        """What cannot be meant is refused here where that is possible, else by the server, in its words."""
        for options, status, words in (
            (("--by", "modle"), 2, "did you mean model?"),
            (("--tz", "Mars"), 2, "unknown time zone 'Mars'"),
            (("--top", "0"), 2, "--top"),
            (("--csv", "--json"), 2, "not both"),
            (("--since", "yesterday"), 1, "from: expected a day"),
            (("--project", "nobody"), 3, "no project named 'nobody'"),
            (("--token", "nobody"), 3, "no token named 'nobody'"),
            (("--project", "x", "records"), 2, "options of records stand behind its name"),
        ):
            with row(self, options):
                result = self.invoke("usage", *options)
                self.assertEqual(result.exit_code, status, result.output)
                self.assertIn(words, result.stderr)


class RecordsTests(UsageCommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.reports.entries = [an_entry(number, NOW + number, user="=1") for number in range(2500)]

    def test_list(self) -> None:
        """The latest twenty, or as many as are asked for."""
        lines = self.invoke("usage", "records").stdout.splitlines()
        self.assertEqual(len(lines), 22)
        self.assertIn("r-2499", lines[2])
        self.assertIn("2023-11-14 22:54:59Z", lines[2])
        self.assertEqual(len(self.said("usage", "records", "-n", "1500")), 1500)

    def test_export(self) -> None:
        """All of them as JSON lines or CSV, page by page, on stdout or in a file that nobody else can read."""
        lines = self.invoke("usage", "records", "--format", "jsonl").stdout.splitlines()
        self.assertEqual([json.loads(line)["request_id"] for line in lines], [f"r-{n}" for n in reversed(range(2500))])
        self.assertEqual(len(self.asked), 3)
        path = self.mktemp() + ".csv"
        result = self.invoke("usage", "records", "--output", path, "--limit", "1001")
        self.assertEqual(result.stdout, f"1001 records are in {path}.\n", result.output)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual((len(rows), tuple(rows[0])), (1001, RECORD))
        self.assertEqual((rows[0]["user"], rows[0]["cost"], rows[0]["streamed"]), ("'=1", "0.01", "false"))

    def test_bounded(self) -> None:
        """No more than a page is held, and no more is asked for than is wanted."""
        sizes: list[Any] = []
        for limit in ("5", "1000", "1001"):
            del self.asked[:]
            self.invoke("usage", "records", "--format", "jsonl", "--limit", limit)
            sizes.append([parse_qs(urlsplit(path).query)["limit"] for _, path, _, _ in self.asked])
        self.assertEqual(sizes, [[["5"]], [["1000"]], [["1000"], ["1000"]]])

    def test_nothing(self) -> None:
        """Of nothing there is a sentence, no line, and the names of the columns."""
        self.reports.entries = []
        self.assertEqual(self.invoke("usage", "records").stdout, "There are no such records.\n")
        self.assertEqual(self.invoke("usage", "records", "--format", "jsonl").stdout, "")
        self.assertEqual(self.invoke("usage", "records", "--format", "csv").stdout, ",".join(RECORD) + "\n")

    def test_refused(self) -> None:
        """A table is no file; a file that cannot be written is said to be so."""
        for options, status, words in (
            (("--format", "table", "--output", "x"), 2, "a table goes to stdout"),
            (("--output", "/nowhere/x.csv"), 1, "/nowhere/x.csv: cannot be written"),
            (("--limit", "0"), 2, "--limit"),
        ):
            with row(self, options):
                result = self.invoke("usage", "records", *options)
                self.assertEqual(result.exit_code, status, result.output)
                self.assertIn(words, result.stderr)


class CompletionTests(SynchronousTestCase):
    def test_completed(self) -> None:
        """The shell completes the command and its options."""
        from click.shell_completion import BashComplete

        from llmproxy.cli.main import cli

        def completed(words: list[str], incomplete: str) -> set[str]:
            found = BashComplete(cli, {}, "llmproxy", "_LLMPROXY_COMPLETE").get_completions(words, incomplete)
            return {each.value for each in found}

        self.assertIn("usage", completed([], "us"))
        self.assertEqual(completed(["usage"], "rec"), {"records"})
        self.assertTrue({"--by", "--since", "--top", "--csv"} <= completed(["usage"], "--"))

    def test_manual(self) -> None:
        """Every option of a report is in the manual."""
        manual = (Path(__file__).parents[2] / "docs" / "usage.md").read_text()
        options = ("by", "since", "until", "project", "token", "api", "model", "top", "tz", "json", "csv", "direct")
        self.assertEqual([name for name in options if f"`--{name}`" not in manual], [])
