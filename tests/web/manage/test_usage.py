"""C{/manage/usage}: sums and single records."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from llmproxy.core.reports import SUMS, UsageQuestion
from llmproxy.errors import Unavailable
from llmproxy.management.usage import UsageRules
from llmproxy.management.usageanswers import RECORD
from llmproxy.web.manage.usage import PIECE, UsageRoutes

from ...store.databases import NOW
from ...tables import row
from ...usagereports import DAY, an_entry
from .usageapi import UsageManageTestCase


class ReportTests(UsageManageTestCase):
    def test_sums(self) -> None:
        """Every sum is there, by the groups that are asked for and in all; money is a decimal text."""
        self.reports.entries = [
            an_entry(1, NOW),
            an_entry(2, NOW, model="gpt-4o-mini", cost="0.000000000001", status=500, ending="upstream_failed"),
            an_entry(3, NOW - DAY, cache="hit", cost="0", cost_saved="0.01"),
        ]
        said = self.ask("GET", "/usage?group_by=day,model").json
        self.assertEqual(
            [(each["day"], each["model"], each["requests"], each["cost"]) for each in said["data"]],
            [
                ("2023-11-13", "gpt-4o", 1, "0"),
                ("2023-11-14", "gpt-4o", 1, "0.01"),
                ("2023-11-14", "gpt-4o-mini", 1, "0.000000000001"),
            ],
        )
        self.assertEqual(set(said["totals"]), set(SUMS))
        totals = said["totals"]
        self.assertEqual((totals["requests"], totals["errors"], totals["cost"]), (3, 1, "0.010000000001"))
        self.assertEqual((totals["cache_hits"], totals["cost_saved"], totals["input_tokens"]), (1, "0.01", 3000))
        self.assertEqual((said["from"], said["to"], said["more"], "forecast" in said), (None, None, 0, False))

    def test_names(self) -> None:
        """A project and a token have their id and their name; who is not known any more, the id alone."""
        project = self.project("search")
        token, _ = self.token(project, name="ci")
        self.reports.entries = [
            an_entry(1, NOW, project_id=project, token_id=token),
            an_entry(2, NOW, project_id="gone", token_id="", cost="0"),
        ]
        self.reports.names = {token: "ci"}
        first, second = self.ask("GET", "/usage?group_by=project,token").json["data"]
        self.assertEqual(
            [first[each] for each in ("project_id", "project_name", "token_id", "token_name")],
            [project, "search", token, "ci"],
        )
        self.assertEqual(
            [second[each] for each in ("project_id", "project_name", "token_id", "token_name")],
            ["gone", None, None, None],
        )

    def test_names_of_many(self) -> None:
        """More projects than are asked for one by one have their names too."""
        ids = [self.project(f"p{number}") for number in range(52)]
        self.reports.entries = [an_entry(number, NOW, project_id=each) for number, each in enumerate(ids)]
        data = self.ask("GET", "/usage?group_by=project").json["data"]
        self.assertEqual({each["project_name"] for each in data}, {f"p{number}" for number in range(52)})

    def test_question(self) -> None:
        """What is asked is what the database is asked."""
        self.ask(
            "GET",
            "/usage?group_by=day,tag:team&from=2023-11-01&to=1h&project_id=a,b&token_id=t&api=openai,gemini"
            "&model=gpt-4o&tz=Europe/Berlin&top=3",
        )
        midnight = 1_698_793_200.0
        self.assertEqual(
            self.reports.asked,
            [
                UsageQuestion(
                    ("day", "tag:team"),
                    midnight,
                    NOW - 3600,
                    ("a", "b"),
                    ("t",),
                    ("openai", "gemini"),
                    ("gpt-4o",),
                    "Europe/Berlin",
                    3,
                )
            ],
        )

    def test_span(self) -> None:
        """The answer says what span it covers: quarters of an hour that are whole."""
        said = self.ask("GET", "/usage?from=2023-11-14T22:07:00Z&to=2023-11-14T22:16:00Z").json
        self.assertEqual((said["from"], said["to"]), ("2023-11-14T22:00:00Z", "2023-11-14T22:30:00Z"))

    def test_top(self) -> None:
        """Rows that are left out are counted, and in the totals."""
        self.reports.entries = [an_entry(number, NOW, model=f"m{number}") for number in range(5)]
        said = self.ask("GET", "/usage?group_by=model&top=2").json
        self.assertEqual((len(said["data"]), said["more"], said["totals"]["requests"]), (2, 3, 5))

    def test_refused(self) -> None:
        """What cannot be understood is refused, and the answer says what would be."""
        for query, words in (
            ("group_by=modle", "group_by: unknown group 'modle': did you mean model?"),
            ("group_by=day,day", "group_by: the group 'day' stands twice"),
            ("from=yesterday", "from: expected a day such as 2026-01-31"),
            ("to=2023-02-30", "to: expected a day"),
            ("from=1h&to=2h", "to: '2h' is before from, '1h'"),
            ("tz=Mars/Olympus", "tz: unknown time zone 'Mars/Olympus'"),
            ("top=0", "top"),
            ("top=x", "top"),
            ("group=day", "'group' is not known here"),
            ("model=" + ",".join(f"m{number}" for number in range(101)), "at most 100"),
        ):
            with row(self, query):
                answer = self.ask("GET", f"/usage?{query}")
                self.refused(answer, 400, "invalid query")
                self.assertIn(words, answer.json["description"])

    def test_of_one(self) -> None:
        """A project and a token have reports of their own, also by groups; who does not exist has none."""
        project = self.project("search")
        token, _ = self.token(project)
        self.reports.entries = [
            an_entry(1, NOW, project_id=project, token_id=token),
            an_entry(2, NOW, project_id="other", token_id="other"),
        ]
        for path in (f"/projects/{project}/usage", f"/tokens/{token}/usage"):
            said = self.ask("GET", f"{path}?group_by=model").json
            self.assertEqual((said["totals"]["requests"], said["data"][0]["model"]), (1, "gpt-4o"), path)
        self.refused(self.ask("GET", "/projects/none/usage"), 404, "project not found")
        self.refused(self.ask("GET", "/tokens/none/usage"), 404, "token not found")
        self.refused(self.ask("GET", f"/tokens/{token}/usage?token_id=other"), 400, "invalid query")
        self.reports.names = {"other": "removed"}
        self.assertEqual(self.ask("GET", "/tokens/other/usage").json["totals"]["requests"], 1)

    def test_forecast(self) -> None:
        """What the month will cost is in the answer where it is asked for, with the same filters."""
        self.reports.entries = [an_entry(number, NOW - number * DAY, model="a", cost="1") for number in range(20)]
        self.reports.entries += [an_entry(100, NOW, model="b", cost="1000")]
        made = self.ask("GET", "/usage?forecast=true&model=a&from=1h").json["forecast"]
        self.assertEqual((made["month"], made["so_far"], made["last_month"]), ("2023-11", "14", "6"))
        self.assertGreater(float(made["expected"]), 29)

    def test_roles(self) -> None:
        """Everybody who manages may read usage."""
        for role in ("owner", "operator", "auditor"):
            secret = self.ask("POST", "/admins", {"name": role, "role": role}).json["token"]
            fields = {"Authorization": f"Bearer {secret}"}
            for path in ("/usage", "/usage/records"):
                with row(self, role, path):
                    self.assertEqual(self.ask("GET", path, headers=fields).status, 200)
        self.assertEqual(self.ask("GET", "/usage", headers={"Authorization": "Bearer no"}).status, 401)

    def test_audited(self) -> None:
        """Reading is in the audit log, like all of management."""
        self.ask("GET", "/usage?group_by=user")
        self.ask("GET", "/usage/records")
        self.assertEqual([event[0] for event in self.notes.events], ["usage.read", "usage.records"])

    def test_not_kept(self) -> None:
        """Where the ledger is off, the answer says so."""
        rules = UsageRules(self.clock.seconds, self.database.projects, self.database.tokens, None)
        self.treq = self.client(super(UsageManageTestCase, self).resource(more=[UsageRoutes(rules).routes()]))
        for path in ("/usage", "/usage/records", "/usage/records?format=csv"):
            answer = self.ask("GET", path)
            self.assertEqual(answer.status, 503, path)
            self.assertIn("ledger is off", answer.json["description"])


class RecordTests(UsageManageTestCase):
    def test_pages(self) -> None:
        """Records come the latest first, a page at a time; the answer says where the next is."""
        self.reports.entries = [an_entry(number, NOW + number) for number in range(5)]
        pages = self.walk("/usage/records?limit=2", "request_id")
        self.assertEqual(pages, [["r-4", "r-3"], ["r-2", "r-1"], ["r-0"]])

    def test_one(self) -> None:
        """A record has all that is known: what is not is null, and the provider's own object is one."""
        self.reports.entries = [an_entry(1, NOW, tags={"team": "search"}, output_tokens=None)]
        (said,) = self.ask("GET", "/usage/records").json
        self.assertEqual(tuple(said), RECORD)
        self.assertEqual(said["ended_at"], "2023-11-14T22:13:20.250000Z")
        self.assertEqual((said["output_tokens"], said["user"], said["tags"]), (None, None, {"team": "search"}))
        self.assertEqual(said["raw"], {"prompt_tokens": 1000, "completion_tokens": 200})

    def test_exact_span(self) -> None:
        """The span of records is not widened."""
        self.reports.entries = [an_entry(1, NOW), an_entry(2, NOW + 1)]
        said = self.ask("GET", "/usage/records?from=2023-11-14T22:13:21Z&model=gpt-4o").json
        self.assertEqual([each["request_id"] for each in said], ["r-2"])

    def test_streamed(self) -> None:
        """JSONL and CSV are all of them, in several pieces, and say what they are."""
        self.reports.entries = [an_entry(number, NOW + number) for number in range(PIECE * 2 + 3)]
        answer = self.ask("GET", "/usage/records?format=jsonl")
        self.assertEqual(answer.header("content-type"), "application/jsonl")
        self.assertEqual(answer.header("content-disposition"), 'attachment; filename="usage.jsonl"')
        self.assertEqual(answer.header("cache-control"), "no-store")
        lines = [json.loads(line) for line in answer.body.splitlines()]
        self.assertEqual([each["request_id"] for each in lines], [f"r-{n}" for n in reversed(range(PIECE * 2 + 3))])
        rows = self.read_csv("/usage/records?format=csv")
        self.assertEqual([each["request_id"] for each in rows], [each["request_id"] for each in lines])

    def test_limited(self) -> None:
        """A limit holds for a stream too, wherever it falls; of pages it is bounded."""
        self.reports.entries = [an_entry(number, NOW + number) for number in range(PIECE + 20)]
        for limit in (1, PIECE - 1, PIECE, PIECE + 1, 10 * PIECE):
            with row(self, limit):
                lines = self.ask("GET", f"/usage/records?format=jsonl&limit={limit}").body.splitlines()
                self.assertEqual(len(lines), min(limit, PIECE + 20))
        self.refused(self.ask("GET", "/usage/records?limit=1001"), 400, "invalid query")

    def test_nothing(self) -> None:
        """Of nothing there is an empty list, no line, and the names of the columns."""
        self.assertEqual(self.ask("GET", "/usage/records").json, [])
        self.assertEqual(self.ask("GET", "/usage/records?format=jsonl").body, b"")
        self.assertEqual(self.ask("GET", "/usage/records?format=csv").body.decode(), ",".join(RECORD) + "\r\n")

    def test_csv_cells(self) -> None:
        """What a client chose is no formula in a spreadsheet, what has members is JSON, and numbers are numbers."""
        self.reports.entries = [
            an_entry(1, NOW, user="=HYPERLINK(1)", session="+1-1", program="@x", model="-1", tags={"=a": "=b"})
        ]
        (found,) = self.read_csv("/usage/records?format=csv")
        self.assertEqual(found["user"], "'=HYPERLINK(1)")
        self.assertEqual(found["session"], "'+1-1")
        self.assertEqual((found["program"], found["model"]), ("'@x", "-1"))
        self.assertEqual((found["tags"], found["metadata"], found["error_code"]), ('{"=a":"=b"}', "", ""))
        self.assertEqual((found["cost"], found["streamed"], found["input_tokens"]), ("0.01", "false", "1000"))

    def test_refused(self) -> None:
        """What is wrong is an error with a status, also where a stream was asked for."""
        for query in ("cursor=x", "format=xml", "limit=0", "cursor=x&format=csv", "from=x&format=jsonl"):
            with row(self, query):
                self.assertEqual(self.ask("GET", f"/usage/records?{query}").status, 400)
        self.reports.broken = [Unavailable("away")]
        self.assertEqual(self.ask("GET", "/usage/records?format=csv").status, 503)

    def test_head(self) -> None:
        """HEAD has no content, and reads no more than a page."""
        self.reports.entries = [an_entry(number, NOW + number) for number in range(PIECE * 3)]
        answer = self.ask("HEAD", "/usage/records?format=csv")
        self.assertEqual((answer.status, answer.body, len(self.reports.asked)), (200, b"", 1))

    def read_csv(self, path: str) -> list[dict[str, Any]]:
        text = self.ask("GET", path).body.decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))
