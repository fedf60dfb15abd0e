"""Usage in files."""

from __future__ import annotations

import io
import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.usage_export import write_records, write_report
from llmproxy.core.reports import SUMS, UsageQuestion
from llmproxy.management.usageanswers import RECORD, plain, plain_record

from ..usagereports import MemoryReports, an_entry


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ReportTests(SynchronousTestCase):
    def test_columns(self) -> None:
        """Groups first, ids before names, then the sums; without groups there are sums alone."""
        for groups, columns in ((("token", "tag:a"), ["token_id", "token_name", "tag:a"]), ((), [])):
            question = UsageQuestion(groups)
            report = plain(question, self.successResultOf(MemoryReports([an_entry(1, 0.0)]).grouped(question)))
            file = io.StringIO(newline="")
            write_report(file, report, ",".join(groups))
            head, line = file.getvalue().splitlines()
            self.assertEqual(head.split(","), [*columns, *SUMS], groups)
            self.assertEqual(len(line.split(",")), len(columns) + len(SUMS), groups)


class RecordTests(SynchronousTestCase):
    def test_pages(self) -> None:
        """The names of the columns stand once, above all pages."""
        file = io.StringIO(newline="")
        for number in range(3):
            write_records(file, [plain_record(an_entry(number, 0.0))], "csv", first=not number)
        lines = file.getvalue().splitlines()
        self.assertEqual((len(lines), lines[0]), (4, ",".join(RECORD)))

    def test_jsonl(self) -> None:
        """A line each, whatever is in it."""
        file = io.StringIO(newline="")
        write_records(file, [plain_record(an_entry(1, 0.0, user="a\nb\u2028ü"))], "jsonl", first=True)
        (line,) = file.getvalue().split("\n")[:-1]
        self.assertEqual(json.loads(line)["user"], "a\nb\u2028ü")

    def test_terminal(self) -> None:
        """No cell drives a terminal; a file has what was said."""
        for file, text in ((Terminal(newline=""), "\\x1b[31m"), (io.StringIO(newline=""), "\x1b[31m")):
            write_records(file, [plain_record(an_entry(1, 0.0, user="\x1b[31m"))], "csv", first=True)
            self.assertIn(text, file.getvalue())
