"""Lunary's events, field by field, and what its answers mean."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.vendors.answers import NOT_UNDERSTOOD, Judgement
from llmproxy.core.events.vendors.lunary import body_of, encode_events, events_of, judge
from llmproxy.core.events.vendors.reading import id_of, metadata_of

from ....tables import row
from .samples import ANSWER, REQUEST, bare, chat

START, END = "2026-11-30T11:09:02.778123Z", "2026-11-30T11:09:04.278623Z"


class EventTests(SynchronousTestCase):
    def test_chat(self) -> None:
        """A run begins with what was asked and ends with what was answered."""
        event = chat()
        start, end = events_of(event)
        run = {"type": "llm", "runId": id_of(event, "run"), "name": "gpt-4o-mini-2024-07-18"}
        self.assertEqual(
            start,
            run
            | {
                "event": "start",
                "timestamp": START,
                "input": REQUEST["messages"],
                "extra": {name: REQUEST[name] for name in ("temperature", "stop", "tools")},
                "tags": ["team:red", "beta"],
                "userId": "ada",
                "metadata": metadata_of(event) | {"session": "s-1"},
            },
        )
        self.assertEqual(
            end,
            run
            | {
                "event": "end",
                "timestamp": END,
                "output": ANSWER["choices"][0]["message"],
                "tokensUsage": {"prompt": 20, "completion": 9, "promptCached": 5},
                "metadata": {"cost": "0.0000123"},
            },
        )

    def test_failed(self) -> None:
        """What failed ends with C{error}; what asked no model is no C{llm}, and has no member without a value."""
        event = bare()
        start, end = events_of(event)
        run = {"type": "tool", "runId": id_of(event, "run"), "name": "GET /v1/models"}
        self.assertEqual(start, run | {"event": "start", "timestamp": START, "metadata": metadata_of(event)})
        self.assertEqual(
            end,
            run
            | {
                "event": "error",
                "timestamp": "2026-11-30T11:09:02.778523Z",
                "error": {"message": "status 401, refused, unauthorized"},
            },
        )

    def test_batch(self) -> None:
        """All events of a batch in one member, in their order; the same each time."""
        found = json.loads(body_of([encode_events(chat()), encode_events(bare())]))
        self.assertEqual([each["event"] for each in found["events"]], ["start", "end", "start", "error"])
        self.assertEqual(encode_events(chat()), encode_events(chat()))


class JudgeTests(SynchronousTestCase):
    def test_results(self) -> None:
        """A run that is there already was delivered; other failures are the first one's."""
        one, two = id_of(chat(), "run"), id_of(bare(), "run")
        there = "Run with this ID already exists in the database."
        for results, expected in (
            ([], Judgement()),
            ([{"id": one, "success": True}, {"id": two, "success": True}], Judgement()),
            ([{"id": one, "success": False, "error": there}], Judgement()),
            ([{"id": one, "success": False, "error": 'duplicate key value violates "run_pkey"'}], Judgement()),
            ([{"id": two, "success": False, "error": "bad input"}], Judgement("refused: bad input", 1, True)),
            ([{"id": one, "success": False, "error": "Connection lost"}], Judgement("refused: Connection lost", 0)),
            ([{"id": one, "success": False}], Judgement("refused: None", 0, True)),
            ([{"id": "another", "success": False}], Judgement()),
        ):
            with row(results):
                self.assertEqual(judge([chat(), bare()], json.dumps({"results": results}).encode()), expected)

    def test_other_answers(self) -> None:
        """An answer that does not tell has taken all; nothing that comes breaks it."""
        for body in (b"", b"{}", b"[]", b'{"results": 1}', b'{"results": [1]}', b'{"results": [{}]}'):
            with row(body):
                self.assertEqual(judge([chat()], body), Judgement())

    def test_cut_short(self) -> None:
        """What is no answer is none, and the batch may be sent again."""
        for body in (b"\xff", b'{"results": [', b"[" * 100_000):
            with row(body[:20]):
                self.assertEqual(judge([chat()], body), Judgement(NOT_UNDERSTOOD))
