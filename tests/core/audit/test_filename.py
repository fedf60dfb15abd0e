"""Tests for L{llmproxy.core.audit.filename}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.filename import file_of

USUAL = "./data/llm-proxy.db"


class FileTests(SynchronousTestCase):
    def test_sqlite(self) -> None:
        """Beside the database, whatever form its name has; the usual database has the usual file."""
        for url, file in (
            ("sqlite:///./data/llm-proxy.db", "./data/audit.log"),
            ("sqlite:///data/llm-proxy.db", "./data/audit.log"),
            ("data/llm-proxy.db", "./data/audit.log"),
            ("sqlite:///data/other.db", "data/other.db.audit.log"),
            ("sqlite:///data/other.sqlite", "data/other.sqlite.audit.log"),
            ("sqlite:////var/lib/x.db?mode=rw", "/var/lib/x.db.audit.log"),
            ("sqlite+pysqlite:///x.db", "x.db.audit.log"),
            ("x.db", "x.db.audit.log"),
            ("sqlite://", "./data/audit-memory.log"),
            (":memory:", "./data/audit-memory.log"),
            ("sqlite:///:memory:", "./data/audit-memory.log"),
        ):
            self.assertEqual(file_of(url, USUAL), file, url)

    def test_servers(self) -> None:
        """One for each database of each server, whoever connects to it and by whichever driver."""
        same = (
            "postgresql://u:p@db.example/llm",
            "postgres://other@DB.example:5432/llm",
            "postgresql+psycopg://db.example/llm?sslmode=require",
        )
        self.assertEqual(len({file_of(url, USUAL) for url in same}), 1)
        others = {
            file_of(url, USUAL)
            for url in (
                same[0],
                "postgresql://db.example:5433/llm",
                "postgresql://db2.example/llm",
                "postgresql://db.example/llm2",
                "postgresql:///llm?host=/run/a",
                "postgresql:///llm?host=/run/b",
                "mysql://db.example/llm",
                "mysql://db.example/",
            )
        }
        self.assertEqual(len(others), 8)
        self.assertTrue(all(file.startswith("./data/audit-") and file.endswith(".log") for file in others), others)
        self.assertEqual(file_of("mariadb://a/b", USUAL), file_of("mysql+pymysql://u@a:3306/b", USUAL))

    def test_no_password(self) -> None:
        """Neither a password nor anything that is no part of a file's name stands in it."""
        for url in ("postgresql://u:canary@h/../../etc", "mysql://canary@h/a b/../c", "postgresql://h/" + "x" * 300):
            file = file_of(url, USUAL)
            self.assertEqual((file.count("/"), "canary" in file, len(file) < 80), (2, False, True), file)
