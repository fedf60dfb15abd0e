"""Transactions, and what fails in them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from twisted.internet.defer import Deferred, execute
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.errors import ConfigError, OutcomeUnknown, Unavailable
from llmproxy.interfaces import IHealthCheck
from llmproxy.store import backend as locations
from llmproxy.store.backend import LOCKED_TIMEOUT, locate
from llmproxy.store.database import ATTEMPTS, MAX_WAITING, Database
from llmproxy.store.engine import open_database
from llmproxy.store.presence import GONE
from llmproxy.store.secrets import KeyRing
from llmproxy.store.threads import NoThreads

from .databases import KEY, clock_at, opened, project


class HeldThreads:
    """Threads whose calls the test lets go one by one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.calls: list[Any] = []
        self.log: list[str] = []

    def start(self) -> None:
        self.log.append("start")

    def run(self, call: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.calls.append((answer, call))
        return answer

    def release(self) -> None:
        answer, call = self.calls.pop(0)
        execute(call).chainDeferred(answer)

    def stop(self) -> None:
        assert not self.calls
        self.log.append("stop")


class TransactionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self, self.mktemp())

    def test_health(self) -> None:
        """The database is a dependency that works until it is closed."""
        verifyObject(IHealthCheck, self.database)
        self.successResultOf(self.database.check())
        self.successResultOf(self.database.close())
        self.failureResultOf(self.database.check(), Unavailable)

    def test_rolled_back(self) -> None:
        """What fails half way has not happened."""

        def half(connection: Any) -> None:
            connection.execute(text("INSERT INTO settings VALUES ('a', 'b')"))
            raise ZeroDivisionError

        self.failureResultOf(self.database.run(half), ZeroDivisionError)
        count = self.database.read(lambda c: c.scalar(text("SELECT count(*) FROM settings WHERE name = 'a'")))
        self.assertEqual(self.successResultOf(count), 0)

    def locked(self, path: str) -> sqlite3.Connection:
        """Another process has the file for itself."""
        other = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        return other

    def test_locked(self) -> None:
        """What another process has locked is waited for, for a bounded time, and that is what C{/ready} tells of."""
        self.patch(locations, "LOCKED_TIMEOUT", 0.1)
        database = opened(self, path := self.mktemp())
        other = self.locked(path)
        self.failureResultOf(database.projects.create(project()), Unavailable)
        self.failureResultOf(database.check(), Unavailable)
        self.assertEqual(self.successResultOf(database.projects.list()), [])
        other.execute("ROLLBACK")
        self.successResultOf(database.check())
        self.locked(path)
        # Nothing has been written meanwhile: a lock is found out without that.
        self.failureResultOf(database.check(), Unavailable)

    def test_time_that_is_left(self) -> None:
        """SQLite has what its turn has left over, of two seconds in all."""

        def patience(connection: Any) -> int:
            return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar())

        for left in (
            self.successResultOf(self.database.read(patience)),
            self.successResultOf(self.database.run(patience)),
        ):
            self.assertTrue(1000 < left <= 2000, left)
        held = HeldThreads(1)
        database = Database(clock_at(), locate(self.mktemp(), 1), KeyRing.of(KEY), lambda size: held)
        starting = database.start()
        held.release()
        self.successResultOf(starting)
        self.patch(locations, "LOCKED_TIMEOUT", 0.0)
        waiting = database.run(patience)
        held.release()
        self.assertEqual(self.successResultOf(waiting), 0)
        closing = database.close()
        held.release()
        self.successResultOf(closing)

    def test_file_gone(self) -> None:
        """A change that would not be kept is refused and says why, as C{/ready} does; what is there is read."""
        directory = self.mktemp()
        os.mkdir(directory)
        database = opened(self, path := os.path.join(directory, "d.db"))
        self.successResultOf(database.projects.create(project("p1")))
        with self.errors() as errors:
            for harm, heal in (
                (lambda: os.rename(path, path + "2"), lambda: os.rename(path + "2", path)),
                (lambda: os.rename(path + "-wal", path + "2"), lambda: os.rename(path + "2", path + "-wal")),
                (lambda: os.rename(directory, directory + "2"), lambda: os.rename(directory + "2", directory)),
            ):
                harm()
                for refused in (database.projects.create(project("p2")), database.check()):
                    self.assertEqual(self.failureResultOf(refused, Unavailable).value.description, GONE, refused)
                self.assertEqual(len(self.successResultOf(database.projects.list())), 1, (harm, heal))
                heal()
                self.successResultOf(database.check())
        self.assertEqual(len(errors), 1)
        self.assertIn(GONE, errors[0])
        self.successResultOf(database.projects.create(project("p2")))

    def test_file_emptied(self) -> None:
        """A file that keeps its name and loses what it held is not ready: an empty one can be asked, too."""
        directory = self.mktemp()
        os.mkdir(directory)
        database = opened(self, path := os.path.join(directory, "d.db"))
        self.successResultOf(database.check())
        self.successResultOf(database.run(lambda connection: connection.exec_driver_sql("DROP TABLE alembic_version")))
        self.assertTrue(os.path.exists(path))
        self.failureResultOf(database.check(), Unavailable)

    def test_file_goes_meanwhile(self) -> None:
        """A change is not acknowledged whose file goes while it is made."""
        database = opened(self, path := self.mktemp())
        changing = database.run(lambda connection: os.unlink(path))
        self.assertEqual(self.failureResultOf(changing, OutcomeUnknown).value.description, GONE)

    @contextmanager
    def errors(self) -> Iterator[list[str]]:
        """What is logged meanwhile as an error."""
        logged: list[str] = []

        def note(event: Any) -> None:
            if event["log_level"] is LogLevel.error:
                logged.append(formatEvent(event))

        globalLogPublisher.addObserver(note)
        try:
            yield logged
        finally:
            globalLogPublisher.removeObserver(note)

    def test_pragmas(self) -> None:
        """A power cut loses nothing that was acknowledged, and a token belongs to a project."""

        def pragmas(connection: Any) -> list[Any]:
            names = ("journal_mode", "synchronous", "foreign_keys")
            return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

        self.assertEqual(self.successResultOf(self.database.read(pragmas)), ["wal", 2, 1])

    def test_disk_full(self) -> None:
        """A full disk is an answer like any other: nothing is half written, nothing secret is said, reading goes on."""
        database = opened(self)
        self.successResultOf(database.read(lambda c: c.exec_driver_sql("PRAGMA max_page_count=1").scalar()))
        secret = "sk-canary" * 5000
        failure = self.failureResultOf(database.projects.create(project(api_key=secret)), Unavailable)
        self.assertNotIn("sk-canary", failure.getTraceback())
        self.assertEqual(self.successResultOf(database.projects.list()), [])
        self.successResultOf(database.read(lambda c: c.exec_driver_sql("PRAGMA max_page_count=100000").scalar()))
        self.successResultOf(database.projects.create(project(api_key=secret)))

    def test_full_disk_is_not_healthy(self) -> None:
        """A database that can be read and not written to is not well, until it can be written to again."""
        database = opened(self)
        self.successResultOf(database.run(lambda c: c.exec_driver_sql("PRAGMA query_only=ON")))
        self.failureResultOf(database.projects.create(project()), Unavailable)
        self.failureResultOf(database.check(), Unavailable)
        self.successResultOf(database.read(lambda c: c.exec_driver_sql("PRAGMA query_only=OFF")))
        self.successResultOf(database.check())
        before = database.statements
        self.successResultOf(database.check())
        self.assertLessEqual(database.statements - before, 2)

    def test_no_parameters_in_errors(self) -> None:
        """What a statement was given does not get into an error."""
        broken = self.database.run(lambda c: c.execute(text("SELECT * FROM nowhere WHERE x = :x"), {"x": "canary"}))
        failure = self.failureResultOf(broken, Unavailable)
        self.assertNotIn("canary", failure.getTraceback())
        self.assertNotIn("canary", str(failure.value.__cause__))

    def test_no_secret_in_repr(self) -> None:
        """Nothing shows the encryption key."""
        self.assertNotIn(repr(KEY)[2:-1], repr(vars(self.database)))


class ConflictTests(SynchronousTestCase):
    """A transaction that the database undid in favour of another one."""

    class Deadlock(Exception):
        sqlstate = "40P01"

    def setUp(self) -> None:
        self.database = opened(self)
        self.attempts = 0

    def lose(self, times: int) -> Any:
        def call(connection: Any) -> str:
            self.attempts += 1
            connection.execute(text("INSERT INTO settings VALUES (:name, 'x')"), {"name": f"a{self.attempts}"})
            if self.attempts <= times:
                raise OperationalError("", {}, self.Deadlock())
            return "done"

        return self.database.run(call)

    def test_repeated(self) -> None:
        """It is done again, from its beginning; what it did before has not happened."""
        self.assertEqual(self.successResultOf(self.lose(2)), "done")
        names = self.database.read(lambda c: list(c.scalars(text("SELECT name FROM settings WHERE value = 'x'"))))
        self.assertEqual(self.successResultOf(names), ["a3"])

    def test_not_for_ever(self) -> None:
        """Who always loses is told."""
        self.failureResultOf(self.lose(100), Unavailable)
        self.assertEqual(self.attempts, ATTEMPTS)


class StartTests(SynchronousTestCase):
    def refused(self, path: str) -> str:
        database = open_database(clock_at(), path, encryption_key=KEY, threads=NoThreads)
        error = self.failureResultOf(database.start(), ConfigError).value
        self.assertEqual((len(error.problems), str(error).count("\n")), (1, 0))
        return str(error)

    def test_not_a_database(self) -> None:
        """A file of something else is named, and left as it is."""
        path = self.mktemp()
        with open(path, "w") as other:
            other.write("dear diary, " * 1000)
        self.assertEqual(self.refused(path), f"database {path}: cannot open: file is not a database")
        with open(path) as other:
            self.assertTrue(other.read().startswith("dear diary"))

    def test_directory(self) -> None:
        """A directory is no database."""
        path = self.mktemp()
        os.mkdir(path)
        self.assertEqual(self.refused(path), f"database {path}: cannot open: Is a directory")

    def test_no_directory(self) -> None:
        """A place where nothing can be made."""
        path = self.mktemp()
        with open(path, "w"):
            pass
        self.assertIn(
            "Not a directory", self.refused(os.path.join(path, "llm.db")).replace("File exists", "Not a directory")
        )

    def test_no_server(self) -> None:
        """A server that is not there is named without the password."""
        for url in ("postgresql://u:s3cret@127.0.0.1:1/d", "mysql://u:s3cret@127.0.0.1:1/d"):
            words = self.refused(url)
            self.assertTrue(words.startswith("database d at "), words)
            self.assertNotIn("s3cret", words)


class CloseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.threads: list[HeldThreads] = []

        def made(size: int) -> HeldThreads:
            self.threads.append(HeldThreads(size))
            return self.threads[-1]

        self.clock = clock_at()
        self.database = Database(self.clock, locate(self.mktemp(), 1), KeyRing(None), made)
        starting = self.database.start()
        self.readers, self.writers = self.threads
        self.writers.release()
        self.successResultOf(starting)

    def test_waits(self) -> None:
        """Closing waits for what runs, takes nothing new, and ends every thread."""
        listing = self.database.projects.list()
        closing = self.database.close()
        self.failureResultOf(self.database.projects.list(), Unavailable)
        self.assertNoResult(closing)
        self.readers.release()
        self.assertEqual(self.successResultOf(listing), [])
        self.writers.release()
        self.successResultOf(closing)
        self.assertEqual([each.log for each in self.threads], [["start", "stop"]] * 2)

    def test_too_many(self) -> None:
        """What waits is bounded: one call more is refused at once, and those before it are not."""
        waiting = [self.database.projects.list() for _ in range(MAX_WAITING)]
        self.failureResultOf(self.database.projects.list(), Unavailable)
        while self.readers.calls:
            self.readers.release()
        self.assertEqual({len(self.successResultOf(each)) for each in waiting}, {0})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_slow(self) -> None:
        """A call that gets no thread is given up, and not done later."""
        before = self.database.statements
        listing = self.database.projects.list()
        self.clock.advance(LOCKED_TIMEOUT)
        self.failureResultOf(listing, Unavailable)
        self.readers.release()
        self.assertEqual(self.database.statements, before)

    def test_cancelled(self) -> None:
        """Who stops waiting for an answer does not make the database think that the work is over."""
        listing = self.database.projects.list()
        listing.cancel()
        self.failureResultOf(listing)
        closing = self.database.close()
        self.assertEqual(len(self.readers.calls), 1)
        self.readers.release()
        self.writers.release()
        self.successResultOf(closing)
