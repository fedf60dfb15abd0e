"""C{llmproxy audit}, but for verify."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from pathlib import Path

from llmproxy.cli.management import Management

from .api import CommandTestCase


class AuditTests(CommandTestCase):
    def test_list(self) -> None:
        """The latest, as a table and as the server's JSON; as many as are asked for, over several pages."""
        self.write(30, client_ip="10.0.0.1", error="no\x1b[2J")
        table = self.invoke("audit", "list", "-n", "2").stdout
        self.assertEqual(table.count("token.create"), 2)
        self.assertIn("2023-11-14 22:13:49Z", table)
        self.assertNotIn("\x1b", table)
        self.assertEqual(len(self.said("audit", "list")), 20)
        self.assertEqual(len(self.said("audit", "list", "-n", "500")), 31)

    def test_filters(self) -> None:
        """Every option is the filter of its name."""
        self.write(3, project_id="p")
        for options, count in (
            (("--actor", "carol", "--project-id", "p"), 3),
            (("--token", "5e7f7a0e-0b52-4f2c-9f4c-0d3c6a1d9b11"), 0),
            (("--actor", "nobody"), 0),
            (("--outcome", "denied"), 0),
            (("--search", "CAROL"), 3),
            (("--since", "2023-11-14T22:13:21Z", "--until", "2023-11-14T22:13:22Z"), 1),
            (("--since", "24h"), 0),
        ):
            self.assertEqual(len(self.said("audit", "list", *options)), count, options)
        self.assertIn("There are no such events.", self.invoke("audit", "list", "--since", "1h").stdout)
        for options in (("--since", "soon"), ("--outcome", "x"), ("--since", "2023-11-14T22:13:21")):
            self.assertEqual(self.invoke("audit", "list", *options).exit_code, 2, options)

    def test_show(self) -> None:
        """One event, with what was noted of it in particular."""
        self.write(1, note="because")
        shown = self.invoke("audit", "show", "id-0000").stdout
        self.assertIn("token.create", shown)
        self.assertIn("because", shown)
        self.assertEqual(self.said("audit", "show", "id-0000")["actor"], "carol")
        self.assertEqual(self.invoke("audit", "show", "nope").exit_code, 3)

    def test_export(self) -> None:
        """All of them, a line each, into a file for its owner alone, or to a pipe."""
        self.write(5)
        path = self.mktemp()
        done = self.invoke("audit", "export", "--output", path, "--actor", "carol")
        self.assertEqual((done.exit_code, done.stdout), (0, f"5 events are in {path}.\n"))
        lines = Path(path).read_text().splitlines()
        self.assertEqual([json.loads(line)["id"] for line in lines], [f"id-{n:04}" for n in (4, 3, 2, 1, 0)])
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(len(self.invoke("audit", "export").stdout.splitlines()), 6)

    def test_export_to_nowhere(self) -> None:
        self.assertEqual(self.invoke("audit", "export", "--output", "/nowhere/x").exit_code, 1)

    def test_csv(self) -> None:
        """For a spreadsheet: with a line of names, and no cell that it would take for a formula."""
        self.write(2, user_agent="=cmd|' /C calc'!A0")
        text = self.invoke("audit", "export", "--format", "csv", "--actor", "carol").stdout
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual([row["id"] for row in rows], ["id-0001", "id-0000"])
        self.assertEqual(rows[0]["user_agent"], "'=cmd|' /C calc'!A0")

    def test_all_pages(self) -> None:
        """Whatever the size of a page, everything is read once."""
        self.write(7)
        api = Management(self.opened(None, 1.0), "management-canary-token")  # type: ignore[arg-type]
        pages = list(api.pages("/audit", limit=3))
        self.assertEqual([len(page["events"]) for page in pages], [3, 3, 2])
