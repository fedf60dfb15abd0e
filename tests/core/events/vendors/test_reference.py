"""The reference's lines, name by name as they were seen."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.event import Content
from llmproxy.core.events.vendors.reading import id_of
from llmproxy.core.events.vendors.reference import (
    encode_log_line,
    encode_payload,
    helicone_of,
    log_line_of,
    payload_of,
)

from .samples import ANSWER, REQUEST, bare, chat


class PayloadTests(SynchronousTestCase):
    def test_chat(self) -> None:
        """All members that the reference names, with what it never knew."""
        event = chat()
        found = payload_of(event, verbose=True)
        extra = found.pop("extra")
        self.assertEqual(
            found,
            {
                "type": "llm",
                "event": "start",
                "runId": id_of(event, "run"),
                "timestamp": "2026-11-30T11:09:02.778123Z",
                "input": REQUEST,
                "output": ANSWER,
                "userId": "ada",
                "tokensUsage": {"prompt": 20, "completion": 9},
                "tags": ["team:red", "beta"],
                "metadata": {
                    "method": "POST",
                    "path": "/v1/chat/completions",
                    "status": 200,
                    "duration_ms": 1500,
                    "request_id": "req-1",
                    "response_headers": {"content-type": ["text/event-stream"], "Set-Cookie": ["x=1"]},
                },
                "log_id": 0,
            },
        )
        self.assertEqual((extra["id"], extra["project_id"], extra["cost"]), ("a" * 32, "p-1", "0.0000123"))
        self.assertNotIn("method", extra)

    def test_bare(self) -> None:
        """What is not known is left out; what was no text is said to be."""
        found = payload_of(bare())
        self.assertEqual(set(found), {"type", "event", "runId", "timestamp", "extra", "metadata", "log_id"})
        left = payload_of(chat(content=Content(request_omitted="binary", response_omitted="binary")))
        self.assertEqual((left["input"], left["output"]), ("<binary response omitted>",) * 2)
        self.assertNotIn("response_headers", payload_of(chat())["metadata"])

    def test_encoded(self) -> None:
        """A line is JSON without an end of a line, the same each time."""
        line = encode_payload(chat())
        self.assertNotIn(b"\n", line)
        self.assertEqual((json.loads(line)["runId"], line), (id_of(chat(), "run"), encode_payload(chat())))


class HeliconeTests(SynchronousTestCase):
    def test_chat(self) -> None:
        """The members that were seen; the times are those of the exchange."""
        self.assertEqual(
            helicone_of(chat()),
            {
                "providerRequest": {
                    "url": "/v1/chat/completions",
                    "json": REQUEST,
                    "meta": {
                        "Helicone-Provider": "openai",
                        "provider": "openai",
                        "Helicone-User-Id": "ada",
                        "method": "POST",
                        "path": "/v1/chat/completions",
                        "request_id": "req-1",
                    },
                },
                "providerResponse": {"status": 200, "headers": {}, "json": ANSWER},
                "timing": {
                    "startTime": {"seconds": 1796036942, "milliseconds": 778},
                    "endTime": {"seconds": 1796036944, "milliseconds": 278},
                },
            },
        )

    def test_no_json(self) -> None:
        """An answer that is no object is left out, with a note; tokens stand in it all the same."""
        found = helicone_of(chat(content=Content(response_body="text"), path=""))
        self.assertEqual(found["providerRequest"]["url"], "custom-model-nopath")
        self.assertEqual(
            found["providerResponse"],
            {
                "status": 200,
                "headers": {},
                "json": {"usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29}},
                "note": "response was not JSON; omitted",
            },
        )


class LogTests(SynchronousTestCase):
    def test_chat(self) -> None:
        """Names in snake case, bodies as texts with their keys in order, no cookie."""
        self.assertEqual(
            log_line_of(chat()),
            {
                "duration": 1500500000,
                "log_id": 0,
                "method": "POST",
                "path": "/v1/chat/completions",
                "request_body": json.dumps(REQUEST, sort_keys=True, separators=(",", ":")),
                "request_id": "req-1",
                "response_body": json.dumps(ANSWER, sort_keys=True, separators=(",", ":")),
                "response_headers": {"content_type": ["text/event-stream"]},
                "status": 200,
                "token_usage": ANSWER["usage"],
            },
        )

    def test_plain_answer(self) -> None:
        """Of an answer that was no stream the usage is moved."""
        found = log_line_of(chat(usage=None, content=Content(response_body=ANSWER)))
        self.assertNotIn("usage", json.loads(found["response_body"]))
        self.assertEqual(found["token_usage"], ANSWER["usage"])

    def test_counts(self) -> None:
        """Tokens that we counted stand there; where none were, there are none, and not three times nothing."""
        found = log_line_of(chat(usage=None, content=None))
        self.assertEqual(found["token_usage"], {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29})
        self.assertEqual(set(log_line_of(bare())), {"duration", "log_id", "method", "path", "request_id", "status"})

    def test_binary(self) -> None:
        """What was no text is said to be."""
        found = log_line_of(chat(content=Content(response_omitted="binary", request_body="x"), usage=None))
        self.assertEqual(
            (found["response_body"], found["response_body_binary"], found["request_body"]),
            ("[binary or undecodable data]", True, "x"),
        )

    def test_encoded(self) -> None:
        """Keys stand in their order."""
        names = list(json.loads(encode_log_line(chat())))
        self.assertEqual(names, sorted(names))
