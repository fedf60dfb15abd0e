"""A database: transactions on threads of its own, and the stores that use them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from twisted.internet.defer import Deferred, execute, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.lograte import LogRate
from ..errors import ConfigError, OutcomeUnknown, Unavailable
from ..interfaces import IHealthCheck
from .admins import AdminStore
from .backend import BUSY_TIMEOUT, is_conflict
from .changes import note, note_all
from .idempotency import IdempotencyStore
from .keyrotation import verify_keys
from .listener import Listener, NoListener
from .migrate import migrate
from .presence import GONE, Presence
from .probe import Probe
from .projectkeys import ProjectKeys
from .projects import ProjectStore
from .queuedcall import QueuedCall
from .schema import HEAD
from .sessions import SessionStore
from .together import Read, Seen, all_of, every, group, is_single, sees_one_moment
from .tokens import TokenStore
from .usage import Usage
from .watchdog import SocketWatchdog

if TYPE_CHECKING:
    from ..providers.registry import Binding
    from .backend import Backend
    from .secrets import KeyRing
    from .threads import Threads

T = TypeVar("T")

FAULTS = (SQLAlchemyError, sqlite3.Error)
"""What a database fails with; SQLAlchemy does not translate what fails while a connection is set up."""

MAX_WAITING = 1000
"""Calls that run or wait for a thread; one more is refused at once."""

CHECK_WITHIN = 2.0
"""Seconds that C{/ready} waits: less than those who ask it do."""

ATTEMPTS = 5
"""How often a transaction is begun that the database undoes in favour of another one."""


COMPLAINS_EVERY = 1.0
"""Seconds between two lines: a database that is away fails every call."""

MISSED_EVERY = 60.0
"""Seconds between two lines about a file that is gone, which only a person brings back."""


@implementer(IHealthCheck)
class Database:
    """
    Made by L{llmproxy.store.engine.open_database}.

    No call waits without end: for a thread at most what its location says, and then for a server about as long; with
    SQLite that is the limit of both together.

    @ivar statements: how many statements have been sent, ever: a warm path sends none.
    """

    name = "database"
    _log = Logger()

    def __init__(
        self,
        clock: Any,
        location: Backend,
        keys: KeyRing,
        threads: Callable[[int], Threads],
        binding: Binding | None = None,
    ) -> None:
        self._location = location
        self._clock = clock
        self._keys = keys
        self._readers = threads(location.readers)
        self._writers = threads(location.writers) if location.writers else self._readers
        self._running = 0
        self._writes = True
        self._idle: Deferred[None] | None = None
        self._open = False
        self.statements = 0
        self._overdue = SocketWatchdog(location.patience)
        self._complaints = LogRate(COMPLAINS_EVERY)
        self._missing = LogRate(MISSED_EVERY)
        self._probe = Probe(clock, self._ask, CHECK_WITHIN)
        self._presence = Presence(location.path)
        self._engine = location.engine(self._overdue)
        self._writing = self._engine.execution_options(llmproxy_writes=True)
        self._single = self._engine.execution_options(llmproxy_single=True)
        self._moment = location.of_one_moment(self._engine)
        event.listen(self._engine, "before_cursor_execute", self._count)
        self._project_keys = ProjectKeys(keys, binding)
        self.projects = ProjectStore(clock, self, self._project_keys)
        self.tokens = TokenStore(clock, self)
        self.usage = Usage(clock, self)
        self.admins = AdminStore(clock, self)
        self.sessions = SessionStore(clock, self)
        self.idempotency = IdempotencyStore(clock, self)

    @property
    def is_shared(self) -> bool:
        """Whether another process can open it."""
        return self._location.is_shared

    def note(self, connection: Connection, what: str, which: str) -> None:
        """Write down a change for other processes; see L{llmproxy.store.changes}."""
        if self._location.is_shared:
            note(connection, what, which, self._clock.seconds())

    def listen(self, channel: str, woken: Callable[[], object]) -> Any:
        """What calls C{woken} when a change was written, where the database tells; it has C{start} and C{stop}."""
        if not self._location.is_postgresql:
            return NoListener()
        connect = partial(self._location.listening, self._engine, channel)
        return Listener(self._clock, connect, partial(self._on, self._readers), woken)

    def start(self) -> Deferred[None]:
        """
        Connect, bring the schema up to date, make sure that the encryption key is the right one, and have every key
        of a project belong to an API.

        Fails with L{ConfigError}, in one line.
        """
        for threads in {id(each): each for each in (self._readers, self._writers)}.values():
            threads.start()
        self._open = True
        if self._location.is_postgresql:
            self._overdue.start(self._clock)
        # Another process may be migrating.
        patient = partial(self._overdue.until, monotonic() + BUSY_TIMEOUT, self._prepare)
        starting: Deferred[Any] = self._on(self._writers, patient)
        return starting.addErrback(self._give_up)

    def join(self) -> Deferred[None]:
        """
        Connect to what another process of the same proxy has prepared.

        Fails with L{Unavailable}.
        """
        self._readers.start()
        self._open = True
        joining: Deferred[Any] = self._on(self._writers, lambda: self._read(self._joined))
        return joining

    def _joined(self, connection: Connection) -> None:
        connection.execute(text("SELECT version_num FROM alembic_version"))
        self._presence.remember()

    def _give_up(self, reason: Failure) -> Deferred[Any]:
        # Threads would keep the process from ending.
        return self.close().addBoth(lambda _: reason)

    def run(self, call: Callable[[Connection], T]) -> Deferred[T]:
        """
        Call C{call} with a connection, in a transaction that may write and ends with it.

        Fails with what C{call} raises, with L{Unavailable} if the database does, or with
        L{OutcomeUnknown} if it failed at the very end. Cancelling forgets the result only.
        """
        writing = self._on(self._writers, lambda: self._write(call))
        return writing.addCallbacks(self._wrote, self._could_not_write)

    def read(self, call: Callable[[Connection], T]) -> Deferred[T]:
        """The same for what only reads: it does not wait for writers. See L{llmproxy.store.together}."""
        together = group()
        if together is not None:
            return together.read(self._read_all, call)
        return self._on(self._readers, lambda: self._read(call))

    def _read_all(self, calls: Sequence[Read], seen: Seen) -> Deferred[list[Any]]:
        def read(connection: Connection) -> list[Any]:
            return every(connection, calls, seen)

        alike = all_of(calls, read)
        return self._on(self._readers, lambda: self._read(alike))

    def check(self) -> Deferred[None]:
        """Ask it something; no answer within L{CHECK_WITHIN} is none."""
        return self._probe.check()

    def _ask(self) -> Deferred[Any]:
        if not self._writes:
            return self.usage.try_to_write()
        # A file that another process has locked is read as well as ever. Taking the lock writes nothing. A table is
        # read: an empty database can tell how much 1 is.
        ask = self.run if self._location.is_sqlite else self.read
        return ask(lambda connection: connection.execute(text("SELECT version_num FROM alembic_version")))

    def _wrote(self, result: T) -> T:
        self._writes = True
        return result

    def _could_not_write(self, reason: Failure) -> Failure:
        if reason.check(Unavailable):
            self._writes = False
        return reason

    def close(self) -> Deferred[None]:
        """Wait for what runs, close the connections, end the threads. More than once is the same as once."""
        if not self._open:
            return execute(self._engine.dispose)
        self._open = False
        idle: Deferred[None] = Deferred()
        if self._running:
            self._idle = idle
        else:
            idle.callback(None)
        # Closing the last connection of SQLite writes the log back into the file: not in the reactor's thread.
        return idle.addCallback(lambda _: self._writers.run(self._engine.dispose)).addBoth(self._stop_threads)

    def _stop_threads(self, result: T) -> T:
        self._overdue.stop()
        for threads in {id(each): each for each in (self._readers, self._writers)}.values():
            threads.stop()
        return result

    def _on(self, threads: Threads, call: Callable[[], T]) -> Deferred[T]:
        if not self._open:
            return fail(Unavailable("the database is not open"))
        if self._running >= MAX_WAITING:
            return fail(Unavailable("too many wait for the database"))
        self._running += 1
        until = monotonic() + self._location.patience
        turn = QueuedCall(lambda: self._overdue.until(until, call))
        running: Deferred[T] = threads.run(turn.take)
        running.addBoth(self._ended)
        return turn.result(running, self._clock, self._location.patience)

    def _ended(self, result: T) -> T:
        self._running -= 1
        if self._idle is not None and not self._running:
            idle, self._idle = self._idle, None
            idle.callback(None)
        return result

    def _write(self, call: Callable[[Connection], T]) -> T:
        if not self._is_there():
            raise Unavailable(GONE)
        result = self._transact(self._single if is_single(call) else self._writing, call)
        if not self._is_there():
            raise OutcomeUnknown(GONE)
        return result

    def _read(self, call: Callable[[Connection], T]) -> T:
        # What can still be read is true. Each process reads once a second: it says so soon, whatever is asked.
        self._is_there()
        engine = self._single if is_single(call) else self._moment if sees_one_moment(call) else self._engine
        return self._transact(engine, call)

    def _is_there(self) -> bool:
        there = self._presence.is_there()
        if not there and self._missing.due("", monotonic()) is not None:
            self._log.error("{label}: {words}", label=self._location.label, words=GONE)
        return there

    def _transact(self, engine: Any, call: Callable[[Connection], T]) -> T:
        try:
            with self._overdue.watching():
                return self._attempt(engine, call)
        except IntegrityError:
            raise
        except FAULTS as error:
            self._complain("{reason}", error)
            raise Unavailable("the database cannot be asked") from error

    def _attempt(self, engine: Any, call: Callable[[Connection], T]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with engine.connect() as connection, connection.begin() as transaction:
                    result = call(connection)
                    self._commit(transaction)
                    return result
            except FAULTS as error:
                if attempt == ATTEMPTS or not is_conflict(error):
                    raise
        raise AssertionError("not reached")

    def _commit(self, transaction: Any) -> None:
        try:
            transaction.commit()
        except FAULTS as error:
            if is_conflict(error):
                raise
            self._complain("commit: {reason}", error)
            raise OutcomeUnknown("the database failed while it wrote") from error

    def _complain(self, words: str, error: BaseException) -> None:
        count = self._complaints.due("", monotonic())
        if count is not None:
            more = f" ({count - 1} more that were not logged)" if count > 1 else ""
            self._log.error("database: " + words + "{more}", reason=reason_of(error), more=more)

    def _prepare(self) -> None:
        label = self._location.label
        # A migration takes as long as it takes. What is in memory is in that one connection.
        patient = nullcontext(self._writing) if self._location.is_sqlite else _disposed(self._location.engine())
        try:
            self._location.make_file()
            with patient as engine, engine.begin() as connection:
                self._tell_of_later(migrate(connection))
                verify_keys(connection, self._keys)
                bound = self._project_keys.bind(connection)
                if bound and self._location.is_shared:
                    note_all(connection, "project", bound, self._clock.seconds())
            self._presence.remember()
        except OSError as error:
            raise ConfigError(f"{label}: cannot open: {error.strerror or error}") from error
        except FAULTS as error:
            raise ConfigError(f"{label}: cannot open: {reason_of(error)}") from error
        except ConfigError as error:
            raise ConfigError(*(f"{label}: {problem}" for problem in error.problems)) from None

    def _tell_of_later(self, revision: str) -> None:
        if revision != HEAD:
            words = "{label}: its schema is revision {found}, of a later release, which lets this one ({mine}) work"
            self._log.info(words, label=self._location.label, found=revision, mine=HEAD)

    def _count(self, *details: object) -> None:
        self.statements += 1


@contextmanager
def _disposed(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


def reason_of(error: BaseException) -> str:
    """The driver's own words in one line: no statement, no parameters, no address of a manual."""
    words = str(getattr(error, "orig", None) or error)
    return " ".join(words.split())
