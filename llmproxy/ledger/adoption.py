"""The adoption of what processes have left behind that died: it is settled by the first that finds it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..core.ledger.frames import HEADER, KIND, Header, frames, is_clean_end
from ..core.ledger.replay import Replay
from .settling import MOST_AT_ONCE

if TYPE_CHECKING:
    from ..core.ledger.entry import Entry
    from ..interfaces import IOwedUses, IUsageRecords
    from .files import LedgerFiles
    from .syncing import Run

_header = msgspec.msgpack.Decoder(Header).decode


class Foreign(Exception):
    """Files of another database, or of a later version."""


class Adoption:
    """
    @param own: the writer that is this process.
    @param database: the id of the database that its entries are for: what others have noted for another one stays.
    @param masked: an entry without what looks like a secret: its process had no time for that.
    @param run: reads files on a thread.
    @ivar interrupted: exchanges that were under way when their process died.
    @ivar adopted: processes whose files were settled.
    @ivar waiting: bytes of files that are being settled.
    """

    _log = Logger()

    def __init__(
        self,
        files: LedgerFiles,
        own: str,
        database: str,
        records: IUsageRecords,
        owed: IOwedUses,
        masked: Callable[[Entry], Entry],
        run: Run,
    ) -> None:
        self._files = files
        self._own = own
        self._database = database
        self._records = records
        self._owed = owed
        self._masked = masked
        self._run = run
        self._foreign: set[str] = set()
        self._looking = False
        self._others: list[Deferred[None]] = []
        self._stopped = False
        self.interrupted = 0
        self.adopted = 0
        self.waiting = 0

    def look(self) -> Deferred[None]:
        """Settle what is there of the dead. Does not fail: what could not be settled is tried the next time."""
        return Deferred.fromCoroutine(self._look())

    def stop(self) -> None:
        """Begin no more; what is half done is done by another one, or at the next start."""
        self._stopped = True

    async def _look(self) -> None:
        if self._looking:
            # Who asks wants to know what the dead have left; another one settles it.
            waiting: Deferred[None] = Deferred()
            self._others.append(waiting)
            await waiting
            return
        self._looking = True
        try:
            for writer in self._files.writers():
                if writer != self._own and writer not in self._foreign and not self._stopped:
                    await self._try(writer)
        finally:
            self._looking = False
            others, self._others = self._others, []
            for each in others:
                each.callback(None)

    async def _try(self, writer: str) -> None:
        lock = self._files.take(writer)
        if lock is None:
            return
        try:
            await self._adopt(writer)
        except Foreign as error:
            self._foreign.add(writer)
            self._log.warn("ledger: the files {writer} are left where they are: {why}", writer=writer, why=error)
        except Exception as error:
            words = "ledger: what the process {writer} has left behind waits: {why}"
            self._log.info(words, writer=writer, why=error)
        finally:
            self.waiting = 0
            os.close(lock)

    async def _adopt(self, writer: str) -> None:
        replay = Replay()
        paths = self._files.segments(writer)
        self.waiting = sum(os.path.getsize(path) for path in paths)
        settled = 0
        for path in paths:
            contents: list[tuple[int, bytes]] = await self._run(partial(self._read, path))
            for start in range(0, len(contents), MOST_AT_ONCE):
                settled += await self._settle(replay.feed(contents[start : start + MOST_AT_ONCE]))
        interrupted = [self._masked(entry) for entry in replay.open.values()]
        for start in range(0, len(interrupted), MOST_AT_ONCE):
            await self._settle(interrupted[start : start + MOST_AT_ONCE])
        await self._owed.settle(writer, replay.uses)
        await self._run(lambda: self._files.remove(writer))
        await self._owed.forget(writer)
        self._done(writer, settled, len(interrupted))

    async def _settle(self, entries: Sequence[Entry]) -> int:
        if self._stopped:
            raise RuntimeError("the proxy stops")
        if entries:
            await self._records.settle(entries)
        return len(entries)

    def _read(self, path: str) -> list[tuple[int, bytes]]:
        """All frames of a file."""
        with open(path, "rb") as file:
            data = file.read()
        found, end = [], 0
        for kind, content, end in frames(data):  # noqa: B007
            found.append((kind, content))
        if found:
            self._check(found[0])
        if not is_clean_end(data, end):
            self._log.info("ledger: {path} ends in the middle of an entry, which is left out", path=path)
        return found

    def _check(self, first: tuple[int, bytes]) -> None:
        kind, content = first
        if kind & KIND != HEADER:
            raise Foreign("they are no files of a ledger")
        if _header(content).database != self._database:
            raise Foreign("they are for another database; a proxy that uses that one settles them")

    def _done(self, writer: str, settled: int, interrupted: int) -> None:
        self.adopted += 1
        self.interrupted += interrupted
        if settled or interrupted:
            words = (
                "ledger: settled what the process {writer} has left behind: {settled} ended, {interrupted} under way"
            )
            self._log.info(words, writer=writer, settled=settled, interrupted=interrupted)


def masked_with(mask: Callable[[str], str], names: Iterable[str]) -> Callable[[Entry], Entry]:
    """
    @param names: of the members that clients and upstreams have a say in.
    """
    wanted = tuple(names)

    def masked(entry: Entry) -> Entry:
        texts: dict[str, Any] = {name: mask(getattr(entry, name)) for name in wanted if getattr(entry, name)}
        for name in ("tags", "metadata"):
            texts[name] = {mask(key): mask(value) for key, value in getattr(entry, name).items()}
        return msgspec.structs.replace(entry, **texts)

    return masked
