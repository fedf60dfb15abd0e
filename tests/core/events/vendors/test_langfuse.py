"""Langfuse's items, field by field, and what its answers mean."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.event import Content
from llmproxy.core.events.vendors.answers import NOT_UNDERSTOOD, Judgement
from llmproxy.core.events.vendors.langfuse import (
    body_of,
    cost_details,
    encode_items,
    items_of,
    judge,
    trace_id,
    usage_details,
)
from llmproxy.core.events.vendors.reading import id_of, metadata_of

from ....tables import row
from .samples import ANSWER, REQUEST, bare, chat

START, END = "2026-11-30T11:09:02.778123Z", "2026-11-30T11:09:04.278623Z"


class ItemTests(SynchronousTestCase):
    def test_chat(self) -> None:
        """A trace and a generation with all that Langfuse has a field for."""
        event = chat()
        trace, generation = items_of(event, "staging", "1.2")
        self.assertEqual(
            trace,
            {
                "id": id_of(event, "trace-create"),
                "type": "trace-create",
                "timestamp": START,
                "body": {
                    "id": trace_id(event),
                    "timestamp": START,
                    "environment": "staging",
                    "release": "1.2",
                    "name": "POST /v1/chat/completions",
                    "userId": "ada",
                    "sessionId": "s-1",
                    "tags": ["team:red", "beta"],
                    "input": REQUEST["messages"],
                    "output": ANSWER["choices"][0]["message"],
                    "metadata": metadata_of(event),
                },
            },
        )
        self.assertEqual(
            generation,
            {
                "id": id_of(event, "generation-create"),
                "type": "generation-create",
                "timestamp": START,
                "body": {
                    "id": id_of(event, "observation"),
                    "traceId": trace_id(event),
                    "environment": "staging",
                    "name": "POST /v1/chat/completions",
                    "startTime": START,
                    "completionStartTime": "2026-11-30T11:09:03.028373Z",
                    "endTime": END,
                    "model": "gpt-4o-mini-2024-07-18",
                    "modelParameters": {
                        "temperature": 0.2,
                        "stop": ["a", "b"],
                        "tools": '[{"type":"function","function":{"name":"f"}}]',
                    },
                    "input": REQUEST["messages"],
                    "output": ANSWER["choices"][0]["message"],
                    "usageDetails": {
                        "input": 15,
                        "input_cache_read": 5,
                        "output": 5,
                        "output_reasoning_tokens": 4,
                        "total": 29,
                    },
                    "costDetails": {"total": 0.0000123},
                    "level": "DEFAULT",
                    "metadata": metadata_of(event),
                },
            },
        )

    def test_refused(self) -> None:
        """What asked no model is a span; an error is one; what is not known is left out."""
        event = bare()
        trace, span = items_of(event)
        self.assertEqual(set(trace["body"]), {"id", "timestamp", "name", "metadata"})
        self.assertEqual(span["type"], "span-create")
        self.assertEqual(
            span["body"],
            {
                "id": id_of(event, "observation"),
                "traceId": trace_id(event),
                "name": "GET /v1/models",
                "startTime": START,
                "endTime": "2026-11-30T11:09:02.778523Z",
                "level": "ERROR",
                "statusMessage": "status 401, refused, unauthorized",
                "metadata": metadata_of(event),
            },
        )

    def test_level(self) -> None:
        """A client that left is a warning: the answer was on its way."""
        for more, expected in (
            ({"ended": "client_left"}, "WARNING"),
            ({"ended": "timeout"}, "ERROR"),
            ({"status": 500}, "ERROR"),
            ({}, "DEFAULT"),
        ):
            with row(more):
                self.assertEqual(items_of(chat(**more))[1]["body"]["level"], expected)

    def test_trace_of_the_client(self) -> None:
        """An exchange within the client's own trace joins it, and does not rename it."""
        trace, generation = items_of(chat(trace_id="c" * 32, span_id="d" * 16, parent_span_id="e" * 16))
        self.assertEqual(
            trace["body"], {"id": "c" * 32, "userId": "ada", "sessionId": "s-1", "tags": ["team:red", "beta"]}
        )
        self.assertEqual(generation["body"]["traceId"], "c" * 32)
        self.assertIn("name", items_of(chat(trace_id="c" * 32))[0]["body"])

    def test_long(self) -> None:
        """Users, sessions and tags have the length that Langfuse takes."""
        body = items_of(chat(user="u" * 300, session="s" * 300, tags={"t": "x" * 300}))[0]["body"]
        self.assertEqual([len(body["userId"]), len(body["sessionId"]), len(body["tags"][0])], [200, 200, 200])

    def test_usage(self) -> None:
        """No token is in two kinds, so that the sum of the kinds is the total."""
        for more, expected in (
            ({}, {"input": 15, "input_cache_read": 5, "output": 5, "output_reasoning_tokens": 4, "total": 29}),
            ({"reasoning_tokens": None, "cached_input_tokens": None}, {"input": 20, "output": 9, "total": 29}),
            ({"output_tokens": None}, {"input": 15, "input_cache_read": 5, "total": 20}),
            (
                {"cached_input_tokens": 15, "cache_write_tokens": 10, "audio_output_tokens": 1, "reasoning_tokens": 0},
                {
                    "input": 0,
                    "input_cache_read": 15,
                    "input_cache_creation": 10,
                    "output": 8,
                    "output_audio_tokens": 1,
                    "total": 29,
                },
            ),
            ({"input_tokens": None, "output_tokens": None}, {}),
        ):
            with row(more):
                self.assertEqual(usage_details(chat(**more)), expected)

    def test_cost(self) -> None:
        """Nothing where no price is known, so that Langfuse goes by its own."""
        for cost, expected in ((None, {}), ("0", {"total": 0.0}), ("1.5", {"total": 1.5}), ("x", {})):
            with row(cost):
                self.assertEqual(cost_details(chat(cost=cost)), expected)

    def test_batch(self) -> None:
        """The body is one object; sent again it is the same to the byte."""
        found = json.loads(body_of([encode_items(chat()), encode_items(bare())]))
        self.assertEqual(
            [each["type"].split("-")[0] for each in found["batch"]], ["trace", "generation", "trace", "span"]
        )
        self.assertEqual(found["metadata"], {"sdk_name": "llmproxy"})
        self.assertEqual(encode_items(chat()), encode_items(chat()))

    def test_content_as_it_is(self) -> None:
        """Texts and lists go in as they are."""
        body = items_of(chat(content=Content(request_body="plain", response_body=[1, 2])))[1]["body"]
        self.assertEqual((body["input"], body["output"]), ("plain", [1, 2]))


class JudgeTests(SynchronousTestCase):
    def judge(self, *errors: Any, successes: int = 0) -> Judgement:
        answer = {"successes": [{"id": "x", "status": 201}] * successes, "errors": list(errors)}
        return judge([chat(), bare()], json.dumps(answer).encode())

    def error(self, event: Any, part: str, status: Any = 400, **more: Any) -> dict[str, Any]:
        return {"id": id_of(event, part), "status": status, **more}

    def test_items(self) -> None:
        """The first event with a failed item decides; what is refused for what it is, is refused for good."""
        one, two = chat(), bare()
        for errors, expected in (
            ([], (0, False, "")),
            ([self.error(one, "generation-create", message="bad")], (0, True, "status 400: bad")),
            ([self.error(two, "span-create", 500)], (1, False, "status 500")),
            ([self.error(two, "span-create", 429, message="slow")], (1, False, "status 429: slow")),
            ([self.error(two, "trace-create", 500), self.error(two, "span-create", 400)], (1, True, "status 500")),
            ([self.error(one, "trace-create", 404, error={"a": 1})], (0, True, "status 404: {'a': 1}")),
            ([self.error(one, "trace-create", None)], (0, False, "status None")),
            ([{"id": "of somebody else", "status": 400}], (0, False, "")),
        ):
            with row(errors):
                found = self.judge(*errors)
                self.assertEqual((found.delivered, found.permanent, found.why), expected)

    def test_other_answers(self) -> None:
        """An answer that tells of no items has taken all; nothing that comes breaks it."""
        for body in (b"", b"{}", b"[]", b'{"errors": 3}', b'{"errors": [3]}', b'{"errors": [{}]}', b'"x"'):
            with row(body):
                self.assertEqual(judge([chat()], body), Judgement())

    def test_cut_short(self) -> None:
        """What is no answer is none, and the batch may be sent again."""
        for body in (b"\xff", b'{"errors": [', b"[" * 100_000):
            with row(body[:20]):
                self.assertEqual(judge([chat()], body), Judgement(NOT_UNDERSTOOD))
