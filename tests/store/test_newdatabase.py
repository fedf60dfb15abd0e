"""A new database of SQLite."""

from __future__ import annotations

import subprocess
import sys

from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.migrations.snapshot import REVISION, STATEMENTS
from llmproxy.store.newdatabase import is_empty, make, statements
from llmproxy.store.schema import HEAD

from .snapshot import made_by_revisions

SCRIPT = """
import sys
from sqlalchemy import create_engine
from llmproxy.store.migrate import migrate, revision_of
with create_engine("sqlite://").begin() as connection:
    migrate(connection)
    print(revision_of(connection))
sys.exit("alembic" in sys.modules)
"""


class FreshTests(SynchronousTestCase):
    def test_what_the_revisions_make(self) -> None:
        """It does not matter whether a database was new today or was migrated through all revisions."""
        with create_engine("sqlite://").begin() as connection:
            self.assertTrue(is_empty(connection))
            self.assertEqual(make(connection), REVISION)
            self.assertFalse(is_empty(connection))
            squeezed = [" ".join(each.split()) for each in statements(connection)]
        self.assertEqual(squeezed, [" ".join(each.split()) for each in made_by_revisions(REVISION)])
        self.assertEqual(squeezed, [" ".join(each.split()) for each in STATEMENTS])

    def test_of_the_last_revision(self) -> None:
        """A new revision has been taken in: if not, run `python -m tests.store.snapshot`."""
        self.assertEqual(REVISION, HEAD)

    def test_without_alembic(self) -> None:
        """A first start does not import what it needs only for a database of an earlier release."""
        ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
        self.assertEqual((ended.returncode, ended.stdout.strip()), (0, HEAD), ended.stderr)
