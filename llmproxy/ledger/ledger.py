"""The ledger of one process: what the chain notes, what is settled, what is found of the dead, and how it is going."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import Unavailable
from ..interfaces import IHealthCheck
from ..net.clockedcall import ClockedCall
from ..net.ratelimitedlog import RateLimitedLog
from .adoption import Adoption
from .files import LedgerFiles
from .journal import MOST_IN_MEMORY, Journal, decoded
from .settling import Settling
from .syncing import Syncing

if TYPE_CHECKING:
    from ..core.ledger.entry import Entry
    from ..core.ledger.settings import LedgerOptions
    from ..interfaces import IOwedUses, IUsageRecords
    from ..record import Record
    from .segment import Segment
    from .syncing import Run

LOOKS_EVERY = 1.0
"""Seconds between two looks for what dead processes have left, and whether there can be a file where there was none."""

STOPS_WITHIN = 5.0
"""Seconds that a stop waits for the database: what it does not take by then is settled at the next start."""


@frozen(eq=False)
class Settles:
    """
    Where things go, and how.

    @ivar database: the id of the database.
    @ivar written: has the uses of tokens written down.
    @ivar masked: an entry of another process, without secrets.
    @ivar run: calls a function on a thread.
    @ivar done: called when nothing more is settled; what it gives is waited for.
    """

    database: str
    records: IUsageRecords
    owed: IOwedUses
    written: Callable[[], Deferred[Any]]
    masked: Callable[[Entry], Entry]
    run: Run
    done: Callable[[], Deferred[Any] | None] = lambda: None


@implementer(IHealthCheck)
class Ledger:
    """
    Implements L{llmproxy.interfaces.ILedger}.

    @param writer: the id of this process, 32 hexadecimal digits.
    @param directory: where its files are; C{None} for a database that ends with the process itself.
    @ivar listeners: called with every entry of an exchange that has ended here; they must not block. One that raises is
        reported, and hurts no other.
    """

    name = "ledger"
    _log = Logger()

    def __init__(self, clock: Any, writer: str, directory: str | None, options: LedgerOptions) -> None:
        self._clock = clock
        self._writer = writer
        self._options = options
        self._files = None if directory is None else LedgerFiles(directory, options.most_waiting)
        self._journal = Journal(writer, "", None)
        self._settling: Settling | None = None
        self._syncing: Syncing | None = None
        self._adoption: Adoption | None = None
        self._complaints = RateLimitedLog(clock, self._log, "ledger")
        self._loop = ClockedCall(clock, self._look)
        self._settles: Settles | None = None
        self._wake: Callable[[], object] = lambda: None
        self._losing_before = False
        self._faults = 0
        self.listeners: list[Callable[[Entry], object]] = []

    # -- what the chain notes

    def begin(self, record: Record, *, leased: bool) -> None:
        try:
            self._journal.begin(record, used=record.counted, leased=leased)
        except Exception:
            self._broken()

    def learn(self, record: Record) -> None:
        try:
            self._journal.learn(record)
        except Exception:
            self._broken()

    def is_open(self, record: Record) -> bool:
        return self._journal.is_open(record)

    def give_back(self, record: Record, *, leased: bool) -> None:
        self._journal.give_back(record, leased=leased)

    def end(self, record: Record) -> None:
        """An exchange of a caller who is known has ended; its record is masked. A fault of ours hurts no answer."""
        try:
            content = self._journal.end(record)
        except Exception:
            self._faults += 1
            self._broken()
            return
        self._wake()
        if self.listeners:
            self._pass_on(decoded(content))

    def _broken(self) -> None:
        self._log.failure("ledger: an exchange could not be noted")

    def _pass_on(self, entry: Entry) -> None:
        for listener in self.listeners:
            try:
                listener(entry)
            except Exception:
                self._log.failure("ledger: {listener} could not take an entry", listener=listener)

    @property
    def sequence(self) -> int:
        """See L{llmproxy.core.ledger.uses}."""
        return self._journal.sequence

    # -- its life

    def start(self, settles: Settles) -> None:
        """The database is open. What cannot be kept in a file goes to it directly, which is said."""
        files = self._prepared()
        new_segment = None if files is None else self._new_segment
        self._journal = journal = Journal(self._writer, settles.database, new_segment)
        every = self._options.fsync
        self._syncing = syncing = Syncing(self._clock, journal, every, settles.run)
        self._settling = Settling(self._clock, journal, settles.records, settles.written, syncing.sync)
        self._wake = self._settling.wake
        syncing.start()
        if files is not None:
            self._adoption = Adoption(
                files, self._writer, settles.database, settles.records, settles.owed, settles.masked, settles.run
            )
        self._settles = settles
        self._loop.start(LOOKS_EVERY, now=True)

    def flush(self) -> Deferred[None]:
        """See L{Settling.flush}."""
        return succeed(None) if self._settling is None else self._settling.flush()

    def adopt(self) -> Deferred[None]:
        """Settle what dead processes have left behind, as far as it can be done now; does not fail."""
        return succeed(None) if self._adoption is None else self._adoption.look()

    def stop(self) -> Deferred[None]:
        """
        Have the database get everything, for L{STOPS_WITHIN} at most; nothing is noted any more. What it did not get
        stays in the file.
        """
        settles, self._settles = self._settles, None
        if self._settling is None or settles is None:
            return succeed(None)
        if self._loop.running:
            self._loop.stop()
        if self._adoption is not None:
            self._adoption.stop()
        self._settling.stop()
        flushing = self._settling.flush().addTimeout(STOPS_WITHIN, self._clock)
        flushing.addErrback(lambda reason: self._left(reason.getErrorMessage()))
        return flushing.addCallback(lambda _: Deferred.fromCoroutine(self._close(settles)))

    async def _close(self, settles: Settles) -> None:
        assert self._syncing is not None, "started"
        journal, files = self._journal, self._files
        await self._syncing.stop()
        done = not journal.waiting and not journal.running
        if done and files is not None:
            # Before they are closed: nobody else takes them for those of a process that died.
            files.remove(self._writer)
            await settles.owed.forget(self._writer)
        journal.close()
        ending = settles.done()
        if ending is not None:
            await ending

    def _left(self, why: str) -> None:
        where = "in the file, and are settled at the next start" if self._journal.is_on_disk else "nowhere"
        words = "ledger: the database did not take the last {count} exchanges ({why}); they are {where}"
        self._log.warn(words, count=self._journal.waiting, why=why, where=where)

    def _prepared(self) -> LedgerFiles | None:
        if self._files is None:
            return None
        try:
            self._files.prepare()
        except OSError as error:
            self._log.warn(
                "ledger: {directory}: {why}. Records of exchanges go to the database directly: a process that is "
                "killed loses those of its last second, one whose database is away for long those above {most} MiB. "
                "ledger.directory says where else",
                directory=self._files.directory,
                why=error.strerror or error,
                most=MOST_IN_MEMORY >> 20,
            )
            return None
        return self._files

    def _new_segment(self, number: int, least: int) -> Segment:
        assert self._files is not None, "asked for where there are files"
        return self._files.new_segment(self._writer, number, least)

    def _look(self) -> None:
        """Never fails: a LoopingCall would end."""
        journal, before = self._journal, self._losing_before
        journal.improve()
        self._losing_before = journal.is_losing
        if journal.is_losing:
            self._complaints.say("full", f"{self._full()}; exchanges go on, and their records are lost")
        elif journal.why:
            words = "records wait in memory for the database, and are lost with the process"
            self._complaints.say("no file", f"{self._full()}; {words}")
        elif before:
            self._log.info("ledger: there is room again; {lost} records were lost", lost=journal.lost)
        if self._adoption is not None:
            self._adoption.look().addErrback(lambda reason: self._log.failure("ledger: files of others", reason))

    def _full(self) -> str:
        directory = "memory" if self._files is None else self._files.directory
        return f"{directory}: {self._journal.why or 'no room'}"

    # -- how it is going

    def check(self) -> Deferred[None]:
        """Fails while records are lost."""
        if not self._journal.is_losing:
            return succeed(None)
        return fail(Unavailable(f"the ledger has no room ({self._full()}): records of exchanges are lost"))

    @property
    def waiting(self) -> int:
        """Exchanges that have ended, and that the database does not have."""
        return self._journal.waiting

    @property
    def waiting_bytes(self) -> int:
        """What waits for the database, of this process and of dead ones that it settles."""
        return self._journal.waiting_bytes + (0 if self._adoption is None else self._adoption.waiting)

    @property
    def oldest(self) -> float:
        """Seconds that the exchange has been waiting which has waited longest."""
        since = self._journal.oldest_at
        return 0.0 if since is None else max(0.0, self._clock.seconds() - since)

    @property
    def lost(self) -> int:
        """Exchanges whose records could be kept nowhere."""
        return self._faults + self._journal.lost + (0 if self._settling is None else self._settling.refused)

    @property
    def interrupted(self) -> int:
        """Exchanges that dead processes had under way, and that were settled here."""
        return 0 if self._adoption is None else self._adoption.interrupted

    @property
    def unsynced(self) -> int:
        """Times that the disk did not take what was written."""
        return 0 if self._syncing is None else self._syncing.failed

    @property
    def in_memory(self) -> bool:
        """Whether what is noted now ends with the process, where that was not wanted."""
        return self._files is not None and not self._journal.is_on_disk
