"""Events of records."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events import Content, Event, event_of_record
from llmproxy.core.events.ofrecord import _COUNTS as COUNTS
from llmproxy.core.events.ofrecord import EventIds
from llmproxy.record import Call, Record, Trace

from .samples import TIME, full_record

NOT_OF_RECORDS = {"content"}


class OfRecordTests(SynchronousTestCase):
    def test_nothing_of_a_record_is_left_out(self) -> None:
        """Every field of an event says something where its record does."""
        made = event_of_record(full_record())
        silent = {
            each.name for each in msgspec.structs.fields(Event) if getattr(made, each.name) in (each.default, None)
        }
        self.assertEqual(silent, NOT_OF_RECORDS)

    def test_order(self) -> None:
        """Each field has the value that is meant for it: they are given by position."""
        record, same = full_record(), ("model", "usage", "saved", "cost", "cost_saved", "time", "part_of")
        made = event_of_record(record)
        known = msgspec.structs.asdict(made)
        for name in ("user", "session", "program", "tags", "metadata"):
            self.assertEqual(known[name], getattr(record.attribution, name), name)
        for name in (*COUNTS, "served_model"):
            self.assertEqual(known[name], getattr(record.usage, name), name)
        for name, value in known.items():
            if name not in same and hasattr(record, name):
                self.assertEqual(value, getattr(record, name), name)
        self.assertEqual(
            (made.price_book, made.http_version, made.upstream_model), (record.book, record.version, record.served)
        )

    def test_values(self) -> None:
        """Durations are milliseconds, costs decimal texts, and the model stands there by its three names."""
        made = event_of_record(full_record())
        self.assertEqual(made.time.timestamp(), TIME)
        self.assertEqual((made.duration_ms, made.first_byte_ms, made.first_token_ms), (1500.0, 250.0, 500.0))
        self.assertEqual((made.cost, made.cost_saved), ("0.012", "0.5"))
        self.assertEqual((made.model, made.upstream_model, made.served_model), ("fast", "gpt-5", "gpt-5-2026"))
        self.assertEqual((made.input_tokens, made.output_tokens, made.usage), (10, 20, {"prompt_tokens": 10}))
        self.assertEqual(made.saved, {"input_tokens": 1, "output_tokens": 2})
        self.assertEqual((made.user, made.tags, made.part_of), ("u-1", {"team": "search"}, "r-0"))

    def test_id(self) -> None:
        """The event has the id of the ledger's entry; without one it has an id that nothing else has."""
        self.assertEqual(event_of_record(full_record()).id, full_record().entry_id)
        ids = {event_of_record(full_record(entry_id="")).id for _ in range(1000)}
        self.assertEqual(len(ids), 1000)
        self.assertNotEqual(EventIds()(), EventIds()())

    def test_content(self) -> None:
        """What was captured goes along."""
        content = Content(request_body={"model": "x"})
        self.assertIs(event_of_record(full_record(), content=content).content, content)

    def test_attempts(self) -> None:
        """Each upstream that was asked, when, and how that ended; times count from the start of the exchange."""
        west, east = event_of_record(full_record()).attempts_made or ()
        self.assertEqual(
            (west.upstream, west.host, west.port, west.status, west.cause), ("west", "w.example", 443, 0, "reset")
        )
        self.assertEqual((west.start_ms, west.duration_ms, west.head_ms), (100.0, 100.0, None))
        self.assertEqual((east.start_ms, east.duration_ms, east.head_ms, east.model), (200.0, 800.0, 100.0, "gpt-5"))
        self.assertEqual((east.span_id, east.trace_id, east.parent_span_id), ("d" * 16, "", ""))

    def test_attempt_of_another(self) -> None:
        """A call that was made for another exchange says what trace it is in; one that goes on ends here."""
        call = Call(Trace("e" * 32, span_id="f" * 16), "c" * 16, "openai", "", "h", 443, "", "", TIME - 1)
        (attempt,) = event_of_record(full_record(calls=[call], duration=1.5)).attempts_made or ()
        self.assertEqual((attempt.start_ms, attempt.duration_ms), (-1000.0, 2500.0))
        self.assertEqual((attempt.trace_id, attempt.parent_span_id), ("e" * 32, "f" * 16))

    def test_attempt_that_ends_last(self) -> None:
        """No attempt is longer than its exchange, which is timed from a moment later than it is dated."""
        call = Call(Trace("e" * 32, span_id="f" * 16), "c" * 16, "openai", "", "h", 443, "", "", TIME + 0.25)
        call.ended = TIME + 1.50004
        (attempt,) = event_of_record(full_record(calls=[call], duration=1.5)).attempts_made or ()
        self.assertEqual((attempt.start_ms, attempt.duration_ms), (250.0, 1250.0))

    def test_of_little(self) -> None:
        """A refusal of which hardly anything is known has an event too, without invented numbers."""
        made = event_of_record(Record("r", "GET", "/", "192.0.2.1", TIME, ended="refused", status=401))
        self.assertEqual((made.input_tokens, made.cost, made.usage, made.tags), (None, None, None, {}))
