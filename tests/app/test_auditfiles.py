"""Tests for L{llmproxy.app.auditfiles}: several databases that are used from one directory."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.auditfiles import audit_file_of
from llmproxy.app.auditlog import Auditing
from llmproxy.core.audit.settings import DEFAULT_FILE, AuditOptions
from llmproxy.store.threads import NoThreads

from ..store.databases import clock_at, opened

USUAL = "./data/llm-proxy.db"


class AuditFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        os.mkdir(directory := self.mktemp())
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory)
        os.mkdir("data")

    def run_proxy(self, url: str, file: str | None = None) -> str:
        """A proxy that starts and stops; the file that it wrote."""
        clock = clock_at()
        written = audit_file_of(url, USUAL) if file is None else file
        database = opened(self, url, clock=clock)
        auditing = Auditing(clock, database, AuditOptions(written), (), NoThreads)
        auditing.start()
        self.successResultOf(Deferred.fromCoroutine(auditing.stop()))
        self.successResultOf(database.close())
        return written

    def test_two_of_one_directory(self) -> None:
        """In whichever order they start, and start again, neither writes into what is the other's."""
        for urls in ((USUAL, "sqlite:///two.db"), ("sqlite:///three.db", "sqlite:///data/four.db", USUAL)):
            files = [self.run_proxy(url) for url in urls]
            self.assertEqual(len(set(files)), len(urls), urls)
            self.assertEqual([self.run_proxy(url) for url in urls], files, urls)

    def test_of_an_earlier_release(self) -> None:
        """What a database has always written goes on being used by it, and by no other one."""
        self.run_proxy("sqlite:///old.db", DEFAULT_FILE)
        self.assertEqual(self.run_proxy("sqlite:///old.db"), DEFAULT_FILE)
        self.assertEqual(self.run_proxy("sqlite:///new.db"), "new.db.audit.log")
        self.assertEqual(audit_file_of("sqlite:///not-there.db", USUAL), "not-there.db.audit.log")
        self.assertFalse(os.path.exists("not-there.db"))

    def test_not_ours(self) -> None:
        """A file that is none of ours, a database that is none, one that is away: the database's own."""
        Path(DEFAULT_FILE).write_text("garbage\n")
        Path("bad.db").write_text("garbage")
        for url in ("sqlite:///old.db", "sqlite:///bad.db"):
            self.assertEqual(audit_file_of(url, USUAL), url.removeprefix("sqlite:///") + ".audit.log", url)
        os.unlink(DEFAULT_FILE)
        self.run_proxy("sqlite:///old.db", DEFAULT_FILE)
        self.assertEqual(audit_file_of("sqlite:///bad.db", USUAL), "bad.db.audit.log")
        self.assertIn("audit-x-", audit_file_of("postgresql://u:p@127.0.0.1:1/x", USUAL))
        self.assertIn("audit-x-", audit_file_of("mysql+unknown://127.0.0.1:1/x", USUAL))
