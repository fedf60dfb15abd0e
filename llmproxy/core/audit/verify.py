"""Verification of a chain from its records, and of its end from its anchors."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field, frozen

from .chain import GENESIS, Anchor, Linked, linked, linked_of_line
from .cuts import Cuts, Mention
from .record import AuditRecord, rfc3339

MOST = 1000
"""Problems that are listed one by one; more are counted."""

OPENED, SEALED, TORN = "audit.open", "audit.seal", "audit.torn"
"""What a log notes of its own files: a new one begins, one is full, a line was left unfinished by a crash."""


@frozen
class Problem:
    """
    @ivar where: the file and line, or the table and record.
    @ivar what: a sentence.
    """

    where: str
    what: str


@define
class Report:
    """
    @ivar problems: what is wrong; not more than L{MOST} of C{problem_count}.
    @ivar notes: what is worth knowing and in order.
    @ivar heads: where each chain has come to: worth keeping elsewhere.
    """

    records: int = 0
    problem_count: int = 0
    problems: list[Problem] = field(factory=list)
    notes: list[str] = field(factory=list)
    heads: dict[str, Anchor] = field(factory=dict)

    def problem(self, where: str, what: str) -> None:
        self.problem_count += 1
        if len(self.problems) < MOST:
            self.problems.append(Problem(where, what))


class Verifier:
    """
    Is shown every record, in the order in which they are kept, and then asked for a L{Report}.

    @param anchors: what is known from elsewhere; several of one chain are fine.
    @param mentions: heads that chains found of each other.
    @param cuts: what was taken out on purpose.
    @param may_begin_late: the oldest files of a log are removed: its first record need not be the first of its chain,
        if it opens a file.
    """

    def __init__(
        self,
        anchors: Iterable[Anchor] = (),
        *,
        mentions: Iterable[Mention] = (),
        cuts: Cuts | None = None,
        may_begin_late: bool = False,
    ) -> None:
        self._may_begin_late = may_begin_late
        self._cuts = Cuts() if cuts is None else cuts
        self._cut_short = 0
        self._anchored: dict[str, dict[int, str]] = {}
        # What must be there of a chain of which nothing is left.
        self._needed: dict[str, int] = {}
        for mention in (*map(Mention, anchors), *mentions):
            anchor = mention.anchor
            self._anchored.setdefault(anchor.chain, {})[anchor.count] = anchor.head
            if not self._cuts.excuse(mention):
                self._needed[anchor.chain] = max(self._needed.get(anchor.chain, 0), anchor.count)
        self._report = Report()
        self._first_seq: dict[str, int] = {}
        self._first_file = 0
        self._oldest_kept = 0
        self._torn: tuple[str, str] | None = None

    def line(self, where: str, data: bytes) -> None:
        """A line of a file, without its end."""
        try:
            link = linked_of_line(data)
        except ValueError as error:
            self._forget_torn()
            self._torn = (where, str(error))
            return
        self.record(where, link)

    def record(self, where: str, link: Linked) -> None:
        """A record with the place that it says it has."""
        report = self._report
        report.records += 1
        self._explain_torn(link.record)
        if linked(link.record, link.chain, link.seq, link.prev).hash != link.hash:
            report.problem(where, f"record {link.seq} was changed")
        before = report.heads.get(link.chain)
        if before is None:
            self._begins(where, link)
        else:
            self._follows(where, link, before)
        expected = self._anchored.get(link.chain, {}).get(link.seq)
        if expected is not None and expected != link.hash:
            report.problem(where, f"record {link.seq} is not the one that was anchored")
        self._note_files(link.record)
        report.heads[link.chain] = Anchor(link.chain, link.seq, link.hash)

    def finish(self) -> Report:
        """Everything has been shown."""
        self._forget_torn()
        report = self._report
        for chain, counts in self._anchored.items():
            most = max(counts)
            head = report.heads.get(chain)
            if head is None:
                if self._needed.get(chain):
                    report.problem(chain, f"the whole chain is missing, with {most} records")
            elif head.count < most:
                report.problem(chain, f"records {head.count + 1} to {most} are missing at the end")
        if self._cuts.before:
            when = rfc3339(self._cuts.before)
            report.notes.append(f"{self._cut_short} chains begin late: what is older than {when} was cut (audit.cut)")
        if self._first_file > max(self._oldest_kept, 1):
            files = f"{max(self._oldest_kept, 1)} to {self._first_file - 1}"
            report.problem(
                "the beginning", f"files {files} are missing, which are too recent for the retention to have removed"
            )
        return report

    def _begins(self, where: str, link: Linked) -> None:
        if link.seq == 1:
            if link.prev != GENESIS:
                self._report.problem(where, "the first record of its chain says that there is one before")
        elif link.seq <= self._cuts.until(link.chain) + 1:
            self._cut_short += 1
            head = self._cuts.head(link.chain, link.seq - 1)
            if head is not None and head != link.prev:
                self._report.problem(where, f"what was cut before record {link.seq} is not what stood there")
        elif self._may_begin_late and not self._report.heads and _continues(link.record):
            self._report.notes.append(
                f"the log begins with record {link.seq}: earlier records were removed by the retention"
            )
        else:
            first = self._cuts.until(link.chain) + 1
            self._report.problem(where, f"records {first} to {link.seq - 1} are missing before record {link.seq}")

    def _follows(self, where: str, link: Linked, before: Anchor) -> None:
        if link.seq <= before.count:
            self._report.problem(where, f"record {link.seq} stands behind record {before.count}: moved, or repeated")
        elif link.seq > before.count + 1:
            self._report.problem(where, f"{_between(before.count, link.seq)} before record {link.seq}")
        elif link.prev != before.head:
            self._report.problem(where, f"what stands before record {link.seq} is not what stood there")

    def _note_files(self, record: AuditRecord) -> None:
        if record.action != OPENED:
            return
        number, oldest = record.details.get("file"), record.details.get("oldest")
        if isinstance(number, int) and isinstance(oldest, int):
            self._first_file = self._first_file or number
            self._oldest_kept = oldest

    def _explain_torn(self, record: AuditRecord) -> None:
        """A line that a crash left unfinished is noted by the next writer, and is no problem then."""
        if self._torn is not None and record.action == TORN:
            self._report.notes.append(f"{self._torn[0]}: a line that a crash left unfinished, as noted behind it")
            self._torn = None
        self._forget_torn()

    def _forget_torn(self) -> None:
        if self._torn is not None:
            self._report.problem(*self._torn)
            self._torn = None


def _continues(record: AuditRecord) -> bool:
    """Whether it opens another file than the first."""
    number = record.details.get("file")
    return record.action == OPENED and isinstance(number, int) and number > 1


def _between(before: int, after: int) -> str:
    if after == before + 2:
        return f"record {before + 1} is missing"
    return f"records {before + 1} to {after - 1} are missing"
