"""The verdict on what waits on disk: the ledger for the database, spools for their receivers, dead letters."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from .findings import Finding, fault, note, ok, skipped, warning
from .words import size_words, span_words

LONG = 300.0
"""Seconds that a record of an exchange waits: the database has it within one or two."""

MUCH = 0.5
NEARLY_ALL = 0.9


@frozen
class LedgerFacts:
    """
    @ivar directory: C{""} where there is none.
    @ivar held: bytes of its files.
    @ivar most: bytes that they may have.
    @ivar waiting: files beyond the one that each process writes to.
    @ivar oldest: seconds since the first of those was written to.
    @ivar dead: processes that have ended and left files behind; C{None} if that cannot be seen.
    @ivar running: whether any process has files there open.
    """

    directory: str
    held: int = 0
    most: int = 1
    waiting: int = 0
    oldest: float = 0.0
    dead: int | None = 0
    running: bool = False


@frozen
class SpoolFacts:
    """
    @ivar sink: its name.
    @ivar size: bytes on disk.
    @ivar most: bytes that one process may have.
    @ivar oldest: seconds since the first of them was written.
    @ivar letters: bytes of dead letters.
    @ivar orphan: the configuration has no such sink.
    """

    sink: str
    directory: str
    size: int = 0
    most: int = 1
    oldest: float = 0.0
    letters: int = 0
    orphan: bool = False


@frozen
class BacklogFacts:
    """@ivar ledger: C{None} where it is off."""

    ledger: LedgerFacts | None = None
    spools: tuple[SpoolFacts, ...] = ()


def judge_backlogs(facts: BacklogFacts) -> Iterator[Finding]:
    """What waits, and for too long."""
    if facts.ledger is None:
        yield skipped("ledger: it is off")
    elif not facts.ledger.directory:
        yield skipped("ledger: a database in memory has none")
    else:
        yield from _of_ledger(facts.ledger)
    for spool in facts.spools:
        yield from _of_spool(spool)


def _of_ledger(ledger: LedgerFacts) -> Iterator[Finding]:
    what = f"ledger: {ledger.directory}"
    share = ledger.held / max(1, ledger.most)
    if share >= MUCH:
        says = f"{what}: {size_words(ledger.held)} of {size_words(ledger.most)} are used (ledger.most_waiting)"
        mend = "see why the database does not take them: what there is no room for is lost"
        yield fault(says, mend) if share >= NEARLY_ALL else warning(says, mend)
    if ledger.dead:
        says = f"{what}: {ledger.dead} process{'es' * (ledger.dead > 1)} ended and left records behind"
        if ledger.running:
            yield note(f"{says}; a running proxy takes them over")
        else:
            yield note(says, "the next start of a proxy with this database takes them over: do not delete them")
    if ledger.running and ledger.waiting and ledger.oldest > LONG:
        says = f"{what}: records have been waiting for the database for {span_words(ledger.oldest)}"
        yield warning(says, "see whether the database answers, and the proxy's log")
    if share < MUCH and not (ledger.running and ledger.waiting and ledger.oldest > LONG):
        yield ok(f"{what}: nothing waits for long")


def _of_spool(spool: SpoolFacts) -> Iterator[Finding]:
    what = f"sink {spool.sink}: {spool.directory}"
    if spool.orphan:
        if spool.size or spool.letters:
            says = f"{what}: {size_words(spool.size + spool.letters)} of a sink that the configuration does not have"
            yield note(says, "configure it again to have them delivered, or delete them")
        return
    if spool.size:
        says = f"{what}: {size_words(spool.size)} wait for the receiver, the first for {span_words(spool.oldest)}"
        mend = "llmproxy sinks list says why; llmproxy sinks test tries it"
        yield fault(says, mend) if spool.size >= NEARLY_ALL * spool.most else warning(says, mend)
    if spool.letters:
        says = f"{what}: {size_words(spool.letters)} of dead letters, which the receiver never took"
        yield warning(says, "each line has its reason; move the file away when they are dealt with")
    if not spool.size and not spool.letters:
        yield ok(f"{what}: nothing waits")
