"""What the retention of audit records does, whatever the database."""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import text
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from llmproxy.core.audit.cuts import CUT, Cuts
from llmproxy.core.audit.record import AuditRecord, audit_record
from llmproxy.core.audit.verify import Report, Verifier
from llmproxy.core.masking import Masking
from llmproxy.store.audit import SQL, AuditTable
from llmproxy.store.auditcuts import planned
from llmproxy.store.auditlinks import anchors_of, cuts_of, links_of, mentions_of
from llmproxy.store.auditretention import AuditRetention
from llmproxy.store.database import Database

from ..store.databases import clock_at

KEEP = 40


class Process:
    """A process of the proxy: a chain, and a log that writes into it at once."""

    def __init__(self, clock: Clock, database: Database, chain: str, heads: bool = True) -> None:
        self._clock = clock
        self._chain = chain
        self._made = 0
        self._waiting: list[AuditRecord] = []
        self._heads = heads
        self._chains = 0
        self.table = AuditTable(clock, database, self._opening, self._make_id)

    def _make_id(self) -> str:
        self._chains += 1
        return f"{self._chain}.{self._chains}"

    def _opening(self, heads: dict[str, list[Any]]) -> AuditRecord:
        # Earlier releases said nothing of the time, and never began anew.
        told = heads if self._heads or self._chains > 1 else {chain: value[:2] for chain, value in heads.items()}
        return self._record("audit.open", {"heads": told})

    def _record(self, action: str, details: dict[str, Any]) -> AuditRecord:
        self._made += 1
        name = f"{self._chain}-{self._made}"
        return audit_record(name, self._clock.seconds(), action, "system", "success", details, Masking())

    def log(self, action: str, actor: str, outcome: str, **details: Any) -> None:
        self._waiting.append(self._record(action, details))

    def flush(self) -> Deferred[None]:
        waiting, self._waiting = self._waiting, []
        return self.table.write(waiting) if waiting else succeed(None)


class AuditCutsContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.mine = self.process("mine")

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def process(self, name: str, heads: bool = True) -> Process:
        return Process(self.clock, self.database, name, heads)

    def write(self, process: Process, count: int) -> None:
        """Records, a second apart."""
        for _ in range(count):
            self.clock.advance(1)
            process.log("token.create", "ada", "success")
            self.done(process.flush())

    def cut(self, process: Process | None = None) -> None:
        self.clock.advance(1)
        retention = AuditRetention(self.clock, self.database, process or self.mine, KEEP)
        self.done(Deferred.fromCoroutine(retention.cut()))

    def execute(self, statement: str) -> None:
        self.done(self.database.run(lambda connection: connection.execute(text(statement))))

    def scalar(self, statement: str) -> Any:
        return self.done(self.database.read(lambda connection: connection.scalar(text(statement))))

    def rows(self) -> int:
        return int(self.scalar("SELECT count(*) FROM audit_events"))

    def report(self) -> Report:
        def verify(connection: Any) -> Report:
            cuts = Cuts(cut for _, cut in cuts_of(connection))
            anchors = anchors_of(connection).get(SQL, [])
            verifier = Verifier(anchors, mentions=mentions_of(connection), cuts=cuts)
            for link in links_of(connection):
                verifier.record(f"{link.chain} {link.seq}", link)
            return verifier.finish()

        report: Report = self.done(self.database.read(verify))
        return report

    def in_order(self) -> None:
        problems = [f"{each.where}: {each.what}" for each in self.report().problems]
        assert problems == [], problems

    def found(self, *statements: str) -> str:
        """What is said of what somebody does to the table; it is as before then."""
        saved = {table: self.dumped(table) for table in ("audit_events", "audit_chains")}
        for statement in statements:
            self.execute(statement)
        problems = "\n".join(f"{each.where}: {each.what}" for each in self.report().problems)
        for table, rows in saved.items():
            self.execute(f"DELETE FROM {table}")
            names = ", ".join(f":{name}" for name in rows[0])
            insert = text(f"INSERT INTO {table} ({names.replace(':', '')}) VALUES ({names})")
            self.done(self.database.run(lambda connection, i=insert, r=rows: connection.execute(i, r)))
        return problems

    def dumped(self, table: str) -> list[dict[str, Any]]:
        query = text(f"SELECT * FROM {table}")
        return self.done(
            self.database.read(lambda connection: [dict(row._mapping) for row in connection.execute(query)])
        )

    def test_cut(self) -> None:
        """What is too old goes, what is asked for stays; a record in the chain says what went."""
        self.write(self.mine, KEEP)
        self.cut()
        assert self.rows() == KEEP + 1
        self.write(self.mine, 10)
        self.cut()
        # The first of the latest forty is the twelfth of them all, the opening included.
        assert (self.rows(), self.scalar("SELECT min(seq) FROM audit_events")) == (KEEP + 1, 12)
        [(link, cut)] = self.done(self.database.read(cuts_of))
        assert (link.chain, list(cut.ends), cut.ends["mine.1"].count) == ("mine.1", ["mine.1"], 11)
        assert cut.ends["mine.1"].head == self.scalar("SELECT prev FROM audit_events WHERE seq = 12")
        self.in_order()

    def test_again_and_again(self) -> None:
        """Processes come and go, some idle for long; cuts are cut themselves, and nothing is ever wrong."""
        chosen = random.Random(7)
        processes = [self.mine, self.process("idle"), self.process("old", heads=False)]
        for number in range(60):
            if chosen.random() < 0.4:
                processes.append(self.process(f"p{number}", heads=chosen.random() < 0.8))
                self.write(processes[-1], 1)
            for process in chosen.sample(processes[2:], 1):
                self.write(process, chosen.randrange(1, 15))
            if number % 25 == 0:
                self.write(processes[1], 1)
            self.cut(chosen.choice([self.mine, processes[1 if number % 25 == 0 else 0]]))
            self.in_order()
            assert self.rows() < 2 * KEEP + 20, self.rows()
        assert self.scalar("SELECT count(*) FROM audit_chains") < 30

    def test_found(self) -> None:
        """What somebody else takes out is found, beside what was cut."""
        gone = self.process("gone")
        self.write(gone, 5)
        for _ in range(4):
            self.write(self.mine, 15)
            self.cut()
        other = self.process("other")
        self.write(other, 5)
        self.write(self.process("last"), 3)
        self.cut()
        self.in_order()
        assert self.scalar("SELECT count(*) FROM audit_events WHERE chain = 'gone.1'") == 0
        first, last = (
            self.scalar(f"SELECT {which}(seq) FROM audit_events WHERE chain = 'mine.1'") for which in ("min", "max")
        )
        assert first > 1
        mine, other_too = "DELETE FROM audit_events WHERE chain = 'mine.1'", "DELETE FROM audit_chains WHERE id = "
        for statements, words in (
            ((f"{mine} AND seq = {first}",), "missing before record"),
            ((f"{mine} AND seq <= {first + 3}",), f"records {first} to {first + 3} are missing before record"),
            ((f"{mine} AND seq = {first + 5}",), f"record {first + 5} is missing before"),
            ((f"{mine} AND seq = {last}",), "missing at the end"),
            ((mine,), "the whole chain is missing"),
            ((mine, other_too + "'mine.1'"), "the whole chain is missing"),
            (("DELETE FROM audit_events WHERE chain = 'other.1'", other_too + "'other.1'"), "the whole chain is"),
            ((f"DELETE FROM audit_events WHERE action = '{CUT}'",), "missing before record"),
        ):
            problems = self.found(*statements)
            assert words in problems, (statements, problems)
        self.in_order()

    def test_interrupted(self) -> None:
        """A process that dies after the record of a cut, or in the middle of it: the next one goes on."""
        self.write(self.mine, 2 * KEEP)
        cut = self.done(self.database.read(lambda connection: planned(connection, KEEP)))
        self.mine.log(CUT, "system", "success", **cut.details())
        self.done(self.mine.flush())
        self.in_order()
        for statement in ("SELECT 1", "DELETE FROM audit_events WHERE seq <= 7"):
            self.execute(statement)
            self.in_order()
        self.cut()
        assert self.rows() == KEEP + 1
        self.in_order()

    def test_quiet_process(self) -> None:
        """One that writes again after all of its records were cut begins another chain, which tells of the first."""
        quiet = self.process("quiet")
        self.write(quiet, 3)
        for _ in range(4):
            self.write(self.mine, 30)
            self.cut()
        assert self.scalar("SELECT count(*) FROM audit_chains WHERE id = 'quiet.1'") == 0
        self.write(quiet, 2)
        assert self.scalar("SELECT records FROM audit_chains WHERE id = 'quiet.2'") == 3
        self.in_order()
        self.write(self.process("another"), 1)
        taken_out = (
            "DELETE FROM audit_events WHERE chain = 'quiet.2'",
            "DELETE FROM audit_chains WHERE id = 'quiet.2'",
        )
        assert "quiet.2: the whole chain is missing" in self.found(*taken_out)
        for statement in taken_out:
            self.execute(statement)
        self.write(quiet, 1)
        assert "quiet.2: the whole chain is missing" in self.found()

    def test_without_a_place(self) -> None:
        """Rows of a release that had no chains go when they are old."""
        for number in range(20):
            self.execute(
                "INSERT INTO audit_events (id, timestamp, action, actor, outcome) "
                f"VALUES ('old-{number}', {number}, 'token.create', 'ada', 'success')"
            )
        self.write(self.mine, KEEP)
        self.cut()
        assert self.scalar("SELECT count(*) FROM audit_events WHERE chain IS NULL") == 0
        self.in_order()

    def test_many_chains(self) -> None:
        """Chains without number are cut a bounded number at a time, each named in a record of bounded size."""
        for number in range(100):
            self.write(self.process(f"p{number}"), 1)
        for _ in range(4):
            self.cut()
            self.in_order()
        assert max(len(cut.ends) for _, cut in self.done(self.database.read(cuts_of))) <= 16
        assert self.scalar("SELECT count(*) FROM audit_chains") < 2 * KEEP
