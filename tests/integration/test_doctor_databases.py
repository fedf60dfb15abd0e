"""What C{llmproxy doctor} sees of database servers."""

from __future__ import annotations

from llmproxy.doctor.look_clock import look_at_clock
from llmproxy.doctor.look_database import clock_of_database, look_at_database
from llmproxy.doctor.subject import Subject
from llmproxy.store.backend import locate
from llmproxy.store.migrate import migrate
from llmproxy.store.schema import HEAD

from ..doctor.subjects import SubjectTestCase
from ..tables import row
from .databases import new_database, server

KINDS = ("postgresql", "mysql")


class ServerTests(SubjectTestCase):
    def of(self, url: str) -> Subject:
        return self.subject(options={"database": None}, env={"DATABASE_URL": url}, workers=4, offline=True)

    def test_servers(self) -> None:
        """An empty one, one of ours, one of a later release; how many connections it takes, and its clock."""
        for kind in KINDS:
            url = new_database(self, kind)
            subject = self.of(url)
            with row(kind):
                facts = look_at_database(subject)
                self.assertEqual((facts.error, facts.revision, facts.foreign), ("", None, False))
                self.assertEqual(facts.wanted, 44)
                self.assertGreater(facts.most_connections or 0, 1)
                engine = locate(url, 1).engine()
                with engine.begin() as connection:
                    migrate(connection)
                facts = look_at_database(subject)
                self.assertEqual((facts.error, facts.revision, facts.works), ("", HEAD, True))
                skew = clock_of_database(subject)
                assert skew is not None
                self.assertLess(abs(skew.ahead), 30.0)
                clock = look_at_clock(subject)
                self.assertEqual((len(clock.skews), clock.newest), (1, None))
                with engine.begin() as connection:
                    connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
                engine.dispose()
                self.assertTrue(look_at_database(subject).is_later)

    def test_paused(self) -> None:
        """A server that hangs is said to, in time."""
        for kind in KINDS:
            url = new_database(self, kind)
            server(kind).pause()
            try:
                facts = look_at_database(self.of(url))
            finally:
                server(kind).resume()
            with row(kind):
                self.assertTrue(facts.error, facts)

    def test_refused(self) -> None:
        """A wrong password, in the words of the server and without itself."""
        for kind in KINDS:
            url = new_database(self, kind)
            scheme, _, rest = url.partition("://")
            where = rest.rpartition("@")[2]
            facts = look_at_database(self.of(f"{scheme}://nobody:canary-password@{where}"))
            with row(kind):
                self.assertTrue(facts.error)
                self.assertNotIn("canary", repr(facts))
