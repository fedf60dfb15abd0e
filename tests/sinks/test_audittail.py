"""Where a file of the audit log ends."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.chain import Chain
from llmproxy.sinks.audittail import file_number, last_link, last_of

from .auditing import record

LINKS = Chain("c").linked([record("a", file=7), record("b")])
LINES = b"".join(link.line() + b"\n" for link in LINKS)


class TailTests(SynchronousTestCase):
    def test_last(self) -> None:
        """The last record, also behind lines that are none, and what was left unfinished."""
        for tail, last, torn in (
            (LINES, LINKS[1], b""),
            (LINES + b"{half", LINKS[1], b"{half"),
            (LINES + b"garbage\n\n", LINKS[1], b""),
            (LINES[5:], LINKS[1], b""),
            (b"garbage\n", None, b""),
            (b"", None, b""),
        ):
            self.assertEqual(last_link(tail), (last, torn), (tail, last, torn))

    def test_files(self) -> None:
        """A file says its number in its first record; one that does not is the first."""
        path = self.mktemp()
        self.assertEqual((last_of(path), file_number(path)), (None, 1))
        Path(path).write_bytes(LINES)
        self.assertEqual((last_of(path), file_number(path)), (LINKS[1], 7))
        Path(path).write_bytes(b"garbage\n")
        self.assertEqual((last_of(path), file_number(path)), (None, 1))
