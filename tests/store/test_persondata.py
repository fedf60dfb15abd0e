"""Tests for L{llmproxy.store.persondata}."""

from __future__ import annotations

import zlib
from typing import Any

from sqlalchemy import insert, select
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.people import PeopleStore
from llmproxy.store.schema import audit_events, usage_records, usage_series

from ..contracts.people_store import person, theirs
from .databases import NOW, clock_at, opened, project


class PersonDataTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = opened(self, clock=self.clock)
        self.people = PeopleStore(self.clock, self.database)
        self.done(self.database.projects.create(project("p1")))
        ann = self.done(self.people.note(person()))
        self.done(self.people.add_token(theirs("t1", ann)))
        self.record("r1", "t1")
        self.record("r2", "another")

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)

    def record(self, record_id: str, token_id: str, **more: str) -> None:
        empty = {
            column.name: "" if column.type.python_type is str else 0
            for column in usage_records.columns
            if not column.nullable
        }
        said = {"user": "ann", "session": "laptop", "client": "10.0.0.1", "user_agent": "codex", "tags": '{"a":"b"}'}
        row = (
            empty
            | said
            | more
            | {"id": record_id, "token_id": token_id, "started_at": NOW, "ended_at": NOW, "settled_at": NOW}
        )
        self.done(self.database.run(lambda connection: connection.execute(insert(usage_records).values(row))))

    def audit(self, event_id: str, actor: str) -> None:
        row = {"id": event_id, "timestamp": NOW, "action": "x", "actor": actor, "outcome": "success"}
        self.done(self.database.run(lambda connection: connection.execute(insert(audit_events).values(row))))

    def series(self, kind: str, value: str) -> None:
        empty = {each.name: "" if each.type.python_type is str else 0 for each in usage_series.columns}
        row = empty | {"id": zlib.crc32(f"{kind} {value}".encode()), "kind": kind, "value": value}
        self.done(self.database.run(lambda connection: connection.execute(insert(usage_series).values(row))))

    def test_sums(self) -> None:
        """Reports by user and session name nobody who was forgotten, and leave others their names."""
        for kind, value in (
            ("user", "ann"),
            ("user", "U1"),
            ("user", "somebody"),
            ("session", "laptop"),
            ("tag", "ann"),
        ):
            self.series(kind, value)
        self.record("r3", "t1", user="somebody")
        self.record("r4", "t1", user="U1")
        self.done(self.people.delete("o1"))
        found = self.done(self.database.read(lambda connection: connection.execute(select(usage_series)).all()))
        self.assertEqual(
            sorted((each.kind, each.value) for each in found),
            [("session", "other"), ("tag", "ann"), ("user", "ann"), ("user", "other"), ("user", "somebody")],
        )

    def test_exported(self) -> None:
        """Their records and what they did, and of others none."""
        self.audit("a1", "corp:u1@example.com")
        self.audit("a2", "corp:u2@example.com")
        found = self.done(self.people.export("o1", 10))
        self.assertEqual([(each["id"], each["user"]) for each in found["usage"]], [("r1", "ann")])
        self.assertEqual([each["id"] for each in found["audit"]], ["a1"])

    def test_bounded(self) -> None:
        """Of single records there are the last ones."""
        self.record("r3", "t1")
        self.assertEqual(len(self.done(self.people.export("o1", 1))["usage"]), 1)

    def test_forgotten(self) -> None:
        """Sums are what they were; what a record said of the person is gone."""
        self.done(self.people.delete("o1"))
        query = select(usage_records).order_by(usage_records.c.id)
        mine, other = self.done(self.database.read(lambda connection: connection.execute(query).all()))
        self.assertEqual((mine.user, mine.session, mine.client, mine.user_agent, mine.tags), ("", "", "", "", None))
        self.assertEqual((mine.token_id, other.user, other.client), ("t1", "ann", "10.0.0.1"))
