"""Where a database is, and what it is encrypted with."""

from __future__ import annotations

from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.databases import Storage, database_url, parse_encryption_key, sqlite_url

from ..tables import row


class EncryptionKeyTests(SynchronousTestCase):
    def test_key(self) -> None:
        """A key is what openssl prints, white space around it or not."""
        self.assertEqual(parse_encryption_key(b64encode(bytes(range(32))).decode() + "\n"), bytes(range(32)))

    def test_wrong(self) -> None:
        """One of the wrong length, or none at all, is told without being shown."""
        for wrong, reason in ((b64encode(bytes(16)).decode(), "got 16 "), ("not base64!", "expected base64")):
            with row(wrong):
                error = self.assertRaises(ValueError, parse_encryption_key, wrong)
            self.assertIn(reason, str(error))
            self.assertNotIn(wrong, str(error))


class DatabaseUrlTests(SynchronousTestCase):
    def test_sqlite(self) -> None:
        """A path is a file, relative to where the proxy runs or not; a name is a database in memory."""
        found = [sqlite_url(path) for path in ("x.db", "/var/x.db", ":memory:")]
        self.assertEqual(found, ["sqlite:///x.db", "sqlite:////var/x.db", "sqlite://"])

    def test_urls(self) -> None:
        """A URL stays as it is, whichever driver it names; the kind is what DB_DRIVER has to agree with."""
        kinds = {"postgresql+psycopg": "postgres", "postgres": "postgres", "mysql+pymysql": "mysql", "mariadb": "mysql"}
        for scheme, kind in kinds.items():
            self.assertEqual(database_url(f"{scheme}://u:p@h/db"), (f"{scheme}://u:p@h/db", kind), (scheme, kind))

    def test_dsn(self) -> None:
        """What Go's MySQL driver takes is understood, with whatever a password may hold."""
        self.assertEqual(
            database_url("user:p@ss/w@tcp(db:3306)/llm?parseTime=true"),
            ("mysql://user:p%40ss%2Fw@db:3306/llm", "mysql"),
        )
        self.assertEqual(database_url("user@tcp(db:3306)/llm"), ("mysql://user@db:3306/llm", "mysql"))

    def test_wrong(self) -> None:
        """Of what is neither, the password is not shown."""
        for wrong in ("oracle://u:s3cret@h/db", "u:s3cret@h/db"):
            with row(wrong):
                error = self.assertRaises(ValueError, database_url, wrong)
            self.assertIn("expected a URL", str(error))
            self.assertNotIn("s3cret", str(error))

    def test_no_secret_is_shown(self) -> None:
        """Formatting where the database is shows neither key nor password."""
        shown = repr(Storage("mysql://u:s3cret@h/db", b"key-canary", (b"old-canary",), True, 10))
        for secret in ("s3cret", "canary"):
            self.assertNotIn(secret, shown)
