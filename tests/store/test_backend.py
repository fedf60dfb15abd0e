"""Understanding where a database is."""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store.backend import locate

from ..tables import row


class LocateTests(SynchronousTestCase):
    def test_files(self) -> None:
        """A path, and a URL of a path, relative or absolute."""
        for url, path in (
            ("data/llm.db", "data/llm.db"),
            ("/var/llm.db", "/var/llm.db"),
            ("sqlite:///data/llm.db", "data/llm.db"),
            ("sqlite:////var/llm.db", "/var/llm.db"),
        ):
            location = locate(url, 10)
            self.assertEqual((location.path, location.is_sqlite, location.writers), (path, True, 1), (url, path))

    def test_memory(self) -> None:
        """All ways of saying that nothing is to be kept."""
        for url in (":memory:", "sqlite://", "sqlite:///:memory:"):
            location = locate(url, 10)
            self.assertEqual((location.path, location.readers, location.writers), (None, 1, 0), url)

    def test_servers(self) -> None:
        """The drivers that we ship with, by every name of the kind; the pool is as large as configured."""
        for url, driver in (
            ("postgres://u:s3cret@h/d", "postgresql+psycopg"),
            ("postgresql://u:s3cret@h:1/d", "postgresql+psycopg"),
            ("mysql://u:s3cret@h/d", "mysql+pymysql"),
            ("mariadb+pymysql://u:s3cret@h/d", "mysql+pymysql"),
        ):
            location = locate(url, 7)
            self.assertEqual((location.url.drivername, location.readers), (driver, 7), (url, driver))
            self.assertNotIn("s3cret", repr(location) + location.label)
            engine = location.engine()
            self.assertEqual(engine.pool.size(), 7, (url, driver))  # type: ignore[attr-defined]
            self.assertTrue(engine.hide_parameters, url)

    def test_bad(self) -> None:
        """Each is refused in one line that does not show the password."""
        for url in (
            "",
            "sqlserver://u:s3cret@h/d",
            "postgres://u:s3cret@h",
            "postgres://u:s3cret@h:port/d",
            "://u:s3cret@h/d",
        ):
            with row(url):
                error = self.assertRaises(ConfigError, locate, url, 10)
            self.assertEqual(len(error.problems), 1, url)
            self.assertNotIn("s3cret", str(error))
            self.assertNotIn("\n", str(error))


class MakeFileTests(SynchronousTestCase):
    def test_modes(self) -> None:
        """Nobody else can read the file or list its directory; a file that is there keeps its mode."""
        path = os.path.join(self.mktemp(), "data", "llm.db")
        locate(path, 1).make_file()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        os.chmod(path, 0o640)
        locate(path, 1).make_file()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
