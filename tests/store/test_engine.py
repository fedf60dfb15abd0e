"""Opening a database."""

from __future__ import annotations

import os
import sys
from subprocess import CompletedProcess, run

from twisted.trial.unittest import SynchronousTestCase

import llmproxy
from llmproxy.errors import ConfigError
from llmproxy.store.engine import open_database
from llmproxy.store.threads import NoThreads

from .databases import clock_at

_IMPORTS = """
import sys
import llmproxy.store.engine, llmproxy.store.leases, llmproxy.store.directory
early = [name for name in ("sqlalchemy", "alembic", "cryptography") if name in sys.modules]
from twisted.internet.task import Clock
from llmproxy.store.threads import NoThreads
database = llmproxy.store.engine.open_database(Clock(), sys.argv[1], encryption_key=bytes(32), threads=NoThreads)
database.start().addErrback(lambda reason: print(reason))
late = [name for name in ("alembic", "twisted.internet.reactor") if name in sys.modules]
print(early, late)
"""


class OpenDatabaseTests(SynchronousTestCase):
    def test_late_imports(self) -> None:
        """A start imports SQLAlchemy when a database is opened, and Alembic not even for a new one."""
        path = self.mktemp()
        shown = [self.start(path) for _ in range(2)]
        self.assertEqual([each.stdout.strip() for each in shown], ["[] []", "[] []"], shown)

    def start(self, path: str) -> CompletedProcess[str]:
        root = os.path.dirname(os.path.dirname(os.path.abspath(llmproxy.__file__)))
        environment = {**os.environ, "PYTHONPATH": root}
        return run([sys.executable, "-c", _IMPORTS, path], capture_output=True, text=True, env=environment)

    def test_key(self) -> None:
        """A key of the wrong length is refused before anything is opened."""
        path = self.mktemp()
        error = self.assertRaises(
            ConfigError, open_database, clock_at(), path, encryption_key=b"short", threads=NoThreads
        )
        self.assertEqual(error.problems, ("ENCRYPTION_KEY: expected 32 bytes, got 5",))
