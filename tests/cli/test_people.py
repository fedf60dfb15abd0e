"""C{llmproxy people}."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..store.databases import NOW
from ..tables import row
from ..usagereports import an_entry
from ..web.manage.peopleapi import PeopleManageTestCase
from .api import CommandTestCase


class PeopleTests(PeopleManageTestCase, CommandTestCase):
    def test_list(self) -> None:
        """A line a person; those who are shut out can be left out."""
        self.reports.entries = [an_entry(1, NOW - 60.0, person_id=self.ann.id)]
        lines = {line.split()[1]: line for line in self.invoke("people", "list").stdout.splitlines()[2:]}
        self.assertIn("ann@x.org", lines["Ann"])
        self.assertTrue(lines["Ann"].rstrip().endswith("$0.0100"), lines["Ann"])
        self.assertIn("owner", lines["Eve"])
        self.assertEqual(self.invoke("people", "revoke", "eve@x.org").exit_code, 0)
        self.assertEqual([each["name"] for each in self.said("people", "list", "--not-revoked")], ["Ann"])
        self.assertEqual([each["name"] for each in self.said("people", "list", "--revoked")], ["Eve"])
        self.assertEqual(self.said("people", "list", "--text", "nobody"), [])

    def test_who(self) -> None:
        """An id, an address and a name in any case of letters mean somebody; nobody, and several, are said."""
        for who in (self.ann.id, "ann@x.org", "ANN@x.org", "ann"):
            with row(who):
                self.assertEqual(self.said("people", "show", who)["id"], self.ann.id)
        for who, status in (("nobody@x.org", 3), ("no such id", 3), ("x", 3)):
            with row(who):
                self.assertEqual(self.invoke("people", "show", who).exit_code, status)

    def test_show(self) -> None:
        """With devices, and what is left of limits."""
        self.let_in(self.ann)
        said = self.invoke("people", "show", "ann").stdout
        for words in ("claude-cli/2.1", "laptop", "rpm_limit left", "of 5"):
            with row(words):
                self.assertIn(words, said)

    def test_changes(self) -> None:
        """What was done is said."""
        token_id = self.let_in(self.ann)
        for arguments, said in (
            (("reset-budget", "ann"), "The budget of Ann begins anew."),
            (("end-device", "ann", "d1"), "The device is let in no longer."),
            (("revoke", "ann"), "Ann is shut out."),
            (("reinstate", "ann"), "Ann may sign in again."),
        ):
            with row(arguments):
                self.assertEqual(self.invoke("people", *arguments).stdout.strip(), said)
        self.assertFalse(self.is_good(token_id))

    def test_export(self) -> None:
        """It goes to standard output, or to a file that its owner alone can read."""
        self.assertEqual(json.loads(self.invoke("people", "export", "ann").stdout)["person"]["id"], self.ann.id)
        path = os.path.abspath(self.mktemp())
        self.invoke("people", "export", "ann", "--output", path)
        self.assertEqual(json.loads(Path(path).read_text())["person"]["id"], self.ann.id)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_delete(self) -> None:
        """It asks before; without a terminal it wants a word."""
        refused = self.invoke("people", "delete", "ann")
        self.assertIn("give --yes", refused.output)
        self.assertEqual(self.said("people", "show", "ann")["name"], "Ann")
        self.assertEqual(self.invoke("people", "delete", "ann", "--yes").exit_code, 0)
        self.assertEqual(self.invoke("people", "show", "ann@x.org").exit_code, 3)
