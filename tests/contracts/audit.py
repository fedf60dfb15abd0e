"""What the audit trail in a database does, whichever it is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from llmproxy.core.audit.chain import Anchor
from llmproxy.core.audit.record import MARK, AuditRecord, audit_record, microseconds
from llmproxy.core.audit.search import AuditFilter
from llmproxy.core.audit.verify import Report, Verifier
from llmproxy.core.masking import Masking
from llmproxy.interfaces import IAuditSink, IAuditTrail
from llmproxy.store import audittrail
from llmproxy.store.audit import SQL, AuditAnchors, AuditTable
from llmproxy.store.auditlinks import anchors_of, links_of
from llmproxy.store.audittrail import AuditTrail
from llmproxy.store.database import Database

from ..store.databases import NOW, clock_at


def record(number: int, action: str = "token.create", outcome: str = "success", **details: Any) -> AuditRecord:
    return audit_record(f"id-{number:04}", NOW + number, action, "management_api", outcome, details, Masking())


def opening(heads: dict[str, list[Any]]) -> AuditRecord:
    return audit_record("open", NOW, "audit.open", "system", "success", {"heads": heads}, Masking())


class AuditContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.trail = AuditTrail(self.database)

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def table(self, chain: str = "chain", opened: Any = None) -> AuditTable:
        first = AuditRecord(f"open-{chain}", 0, "audit.open", "system", "success")
        return AuditTable(self.clock, self.database, opened or (lambda heads: first), lambda: chain)

    def written(self, *records: AuditRecord) -> AuditTable:
        table = self.table()
        self.done(table.write(records))
        return table

    def ids(self, **wanted: Any) -> list[str]:
        found = self.done(self.trail.rows(0, 100, AuditFilter(**wanted)))
        assert self.done(self.trail.count(AuditFilter(**wanted))) == len(found)
        return [link.record.id for link in found if not link.record.id.startswith("open")]

    def execute(self, statement: str) -> None:
        self.done(self.database.run(lambda connection: connection.execute(text(statement))))

    def report(self) -> Report:
        def verify(connection: Any) -> Report:
            verifier = Verifier(anchors_of(connection).get(SQL, []))
            for link in links_of(connection):
                verifier.record(f"{link.chain} {link.seq}", link)
            return verifier.finish()

        report: Report = self.done(self.database.read(verify))
        return report

    def test_interfaces(self) -> None:
        verifyObject(IAuditSink, self.table())
        verifyObject(IAuditTrail, self.trail)

    def test_round_trip(self) -> None:
        """A record is read as it was written, whatever a client put into it, and its hash is still right."""
        odd = record(
            1, request_id="r\x00\x1b\ud800", user_agent="é東京😀" * 300, error="x", nested={"a": [1, None, 1.5]}
        )
        self.written(odd, record(2, client_ip="1" * 500))
        link = self.done(self.trail.get("id-0001"))
        assert link.record == odd
        assert self.done(self.trail.get("id-0002")).record.client_ip == "1" * 44 + MARK
        assert self.done(self.trail.get("nope")) is None
        assert self.report().problems == []

    def test_kept_once(self) -> None:
        """A write whose answer was lost is repeated and keeps nothing twice, also with more behind it."""
        table = self.table()
        self.done(table.write([record(1)]))
        lost = self.table()
        self.done(lost.write([record(1), record(2), record(3)]))
        assert self.ids() == ["id-0003", "id-0002", "id-0001"]
        self.done(lost.write([record(4)]))
        assert (self.report().problems, self.report().records) == ([], 5)

    def test_filters(self) -> None:
        """Each field is compared as it is: not its case, not a part of it."""
        self.written(
            record(1, "project.create", project_id="P1", http_method="POST", client_ip="10.0.0.1", token_id="t"),
            record(2, "project.update", "failure", project_id="p1", request_id="r-1", correlation_id="c-1"),
            record(3, "token.create", "denied", endpoint="/manage/tokens", project_id="p10"),
        )
        for wanted, ids in (
            ({"project_id": "p1"}, [2]),
            ({"project_id": "P1"}, [1]),
            ({"action": "token.create"}, [3]),
            ({"outcome": "failure"}, [2]),
            ({"actor": "management_api"}, [3, 2, 1]),
            ({"actor": "MANAGEMENT_API"}, []),
            ({"request_id": "r-1", "correlation_id": "c-1"}, [2]),
            ({"method": "POST", "client_ip": "10.0.0.1", "token_id": "t"}, [1]),
            ({"path": "/manage/tokens"}, [3]),
            ({"path": "/manage"}, []),
        ):
            assert self.ids(**wanted) == [f"id-{number:04}" for number in ids], wanted

    def test_search(self) -> None:
        """A text anywhere in what is searched, whatever its case; wildcards stand for themselves."""
        self.written(
            record(1, project_name="Team_A 100% ~x"),
            record(2, project_name="teamBA 100 x", error="Not Found"),
            record(3, endpoint="/manage/a\\b", client_ip="10.0.0.7"),
            record(4, reason="Ärger", project_name="ÜBER (Straße) \U0001f600"),
            record(5, project_name="ΣΊΣΥΦΟΣ"),
        )
        for search, ids in (
            ("team_a", [1]),
            ("TEAM", [2, 1]),
            ("100%", [1]),
            ("~x", [1]),
            ("%", [1]),
            ("_", [5, 4, 3, 2, 1]),
            ("not found", [2]),
            ("a\\b", [3]),
            ("0.0.7", [3]),
            ("'; DROP TABLE audit_events; --", []),
            ("ärgeR", [4]),
            ("über (STRA", [4]),
            ("ü.er", []),
            ("(straße)", [4]),
            ("\U0001f600", [4]),
            ("\U0001f601", []),
            ("σίσυφος", [5]),
        ):
            assert self.ids(search=search) == [f"id-{number:04}" for number in ids], search

    def test_times(self) -> None:
        """Both ends belong to a span of time, to the microsecond, whatever the zone of the machine."""
        self.written(*(record(number) for number in range(1, 5)))
        start, end = (microseconds(f"2023-11-15T00:13:{second}.25+02:00") for second in (22, 23))
        assert self.ids(start_time=start, end_time=end) == ["id-0003", "id-0002"]
        assert self.ids(start_time=start + 1, end_time=end) == ["id-0003"]
        assert self.ids(start_time=end + 1, end_time=start) == []

    def test_pages(self) -> None:
        """All of them, each once, the latest first, while more come in."""
        table = self.written(*(record(number, number_of=number) for number in range(1, 8)))
        page = self.done(self.trail.page(3, None, AuditFilter()))
        seen = [link.record.id for link in page.items]
        self.done(table.write([record(9)]))
        while page.after is not None:
            page = self.done(self.trail.page(3, page.after, AuditFilter()))
            seen += [link.record.id for link in page.items]
        assert [each for each in seen if each != "open-chain"] == [f"id-{number:04}" for number in range(7, 0, -1)]

    def test_bounded_search(self) -> None:
        """
        A search for a text looks at so many records a page, whatever it has found; page after page it finds what an
        unbounded one does, each once, also among records of one moment.
        """
        records = [
            AuditRecord(f"r{n:02}", 5 + n // 7, "a", f"a{n % 3}", "success", reason=f"no {n % 11}") for n in range(60)
        ]
        self.written(*records)
        found: dict[int, list[str]] = {}
        for most in (4, 10_000):
            self.patch(audittrail, "MOST_SEARCHED", most)  # type: ignore[attr-defined]
            for wanted in (AuditFilter(search="NO 1"), AuditFilter(search="no 3", actor="a0"), AuditFilter(search="x")):
                after, back = None, []
                while True:
                    page = self.done(self.trail.page(2, after, wanted))
                    found.setdefault(most, []).extend(link.record.id for link in page.items)
                    assert len(page.items) == 2 or page.after is None or page.looked_back_to is not None
                    back += [] if page.looked_back_to is None else [page.looked_back_to]
                    after = page.after
                    if after is None:
                        break
                assert back == sorted(back, reverse=True)
                assert bool(back) == (most == 4), (most, wanted)
        assert found[4] == found[10_000]
        assert len(found[4]) > 10

    def test_same_moment(self) -> None:
        """Records of one moment stand in the same order on every page."""
        twins = [AuditRecord(f"id-{n}", 5, "a", "b", "success") for n in range(5)]
        self.written(*twins)
        first = self.done(self.trail.page(2, None, AuditFilter(action="a")))
        second = self.done(self.trail.page(9, first.after, AuditFilter(action="a")))
        ids = [link.record.id for link in [*first.items, *second.items]]
        assert ids == ["id-4", "id-3", "id-2", "id-1", "id-0"]

    def test_tampering(self) -> None:
        """What is changed, moved or taken out with SQL is found, the end and a whole chain too."""
        for statement, words in (
            ("UPDATE audit_events SET actor = 'nobody' WHERE id = 'id-0002'", "record 3 was changed"),
            ("UPDATE audit_events SET metadata = NULL WHERE id = 'id-0002'", "record 3 was changed"),
            ("UPDATE audit_events SET timestamp = timestamp + 1 WHERE id = 'id-0002'", "record 3 was changed"),
            ("DELETE FROM audit_events WHERE id = 'id-0002'", "record 3 is missing"),
            ("UPDATE audit_events SET seq = 9 WHERE id = 'id-0002'", "record 3 is missing"),
            ("DELETE FROM audit_events WHERE id = 'id-0003'", "records 4 to 4 are missing at the end"),
            ("DELETE FROM audit_events", "the whole chain is missing"),
        ):
            self.written(*(record(number, name=str(number)) for number in (1, 2, 3)))
            assert self.report().problems == []
            self.execute(statement)
            problems = [problem.what for problem in self.report().problems]
            assert any(words in problem for problem in problems), (statement, problems)
            self.execute("DELETE FROM audit_events")
            self.execute("DELETE FROM audit_chains")

    def test_heads(self) -> None:
        """A chain begins with what it found of the others, so that one cannot go unmissed."""
        first = self.written(record(1))
        del first
        self.done(self.table("second", opening).write([record(2)]))
        found = self.done(self.trail.get("open")).record.details["heads"]
        assert list(found) == ["chain"] and found["chain"][0] == 2

    def test_anchors_of_files(self) -> None:
        """How far a file has come is kept, and only ever goes forward."""
        anchors = AuditAnchors(self.clock, self.database)
        for count in (3, 7, 5):
            self.done(anchors.note(Anchor("file-1", count, f"{count}" * 64)))
        found = self.done(self.database.read(anchors_of))
        assert found["file"] == [Anchor("file-1", 7, "7" * 64)]
