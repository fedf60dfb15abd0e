"""What vendors are given of an event, whatever it holds."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.event import Content
from llmproxy.core.events.vendors.reading import (
    began,
    counts_of,
    ended,
    failure_of,
    first_token,
    id_of,
    input_of,
    is_exchange,
    is_model_call,
    metadata_of,
    model_of,
    name_of,
    output_of,
    parameters_of,
    tags_of,
    written,
)

from ....tables import row
from .samples import ANSWER, AT, REQUEST, bare, chat


class ReadingTests(SynchronousTestCase):
    def test_kind(self) -> None:
        """Exchanges are exchanges; model calls are those that asked a model something."""
        self.assertEqual((is_exchange(chat()), is_exchange(chat(kind="audit.login"))), (True, False))
        for event, expected in (
            (chat(), True),
            (bare(), False),
            (bare(model="m"), True),
            (bare(input_tokens=0), True),
            (bare(method="POST"), True),
        ):
            with row(event):
                self.assertEqual(is_model_call(event), expected)

    def test_ids(self) -> None:
        """A part of an event has one id, a UUID, whenever it is made; other parts and events have others."""
        one = id_of(chat(), "run")
        self.assertEqual((one, str(uuid.UUID(one))), (id_of(chat(status=500), "run"), one))
        self.assertEqual(len({one, id_of(chat(), "trace"), id_of(bare(), "run")}), 3)

    def test_moments(self) -> None:
        """Beginning, end and first token, in UTC with microseconds, as JavaScript reads them."""
        event = chat()
        self.assertEqual(began(event), AT)
        self.assertEqual(ended(event), AT + timedelta(milliseconds=1500.5))
        self.assertEqual(first_token(event), AT + timedelta(milliseconds=250.25))
        self.assertIsNone(first_token(bare()))
        self.assertEqual(ended(bare(duration_ms=-1.0)), AT)
        self.assertEqual(written(AT), "2026-11-30T11:09:02.778123Z")
        self.assertEqual(written(datetime.fromisoformat("2026-11-30T13:00:00+02:00")), "2026-11-30T11:00:00.000000Z")
        self.assertEqual(began(bare(time=AT.replace(tzinfo=None))), AT)

    def test_names(self) -> None:
        """The model that answered, else the one that was asked for; where it went."""
        for event, expected in (
            (chat(), "gpt-4o-mini-2024-07-18"),
            (chat(served_model="", upstream_model="up"), "up"),
            (chat(served_model=""), "gpt-4o-mini"),
            (bare(), ""),
        ):
            with row(event):
                self.assertEqual(model_of(event), expected)
        self.assertEqual((name_of(chat()), name_of(bare(method=""))), ("POST /v1/chat/completions", "/v1/models"))
        self.assertEqual(tags_of(chat()), ["team:red", "beta"])

    def test_failure(self) -> None:
        """What went wrong, in a few words; nothing for what was refused nothing."""
        for event, expected in (
            (chat(), ""),
            (chat(ended=""), ""),
            (bare(), "status 401, refused, unauthorized"),
            (chat(status=429), "status 429"),
            (chat(ended="client_left"), "status 200, client_left"),
            (chat(status=0, ended="upstream_failed", cause="reset"), "no answer, upstream_failed, reset"),
        ):
            with row(event):
                self.assertEqual(failure_of(event), expected)

    def test_metadata(self) -> None:
        """What the program said and what is known, flat, and nothing that is not."""
        found = metadata_of(chat())
        self.assertEqual({found[name] for name in ("ticket", "api", "project_id")}, {"7", "openai", "p-1"})
        self.assertFalse({"error_code", "cause", "part_of", "truncated", "user", "cost"} & set(found))
        self.assertTrue(all(isinstance(value, (str, int, float)) for value in found.values()))
        cut = chat(content=Content(request_truncated=True, response_omitted="binary"))
        self.assertEqual(
            (metadata_of(cut)["request_truncated"], metadata_of(cut)["response_omitted"]), (True, "binary")
        )
        self.assertEqual(
            metadata_of(bare(status=0)),
            {
                "request_id": "req-2",
                "method": "GET",
                "path": "/v1/models",
                "status": 0,
                "ended": "refused",
                "error_code": "unauthorized",
                "duration_ms": 0.4,
            },
        )

    def test_input(self) -> None:
        """What was asked, by the member in which an API has it."""
        for body, expected in (
            (REQUEST, REQUEST["messages"]),
            ({"model": "m", "input": "x"}, "x"),
            ({"contents": [1]}, [1]),
            ({"system": "s", "messages": [1]}, {"system": "s", "messages": [1]}),
            ({"instructions": "i", "input": [1]}, {"instructions": "i", "input": [1]}),
            ({"voice": "x"}, {"voice": "x"}),
            ("text", "text"),
            ([1], [1]),
            (None, None),
        ):
            with row(body):
                self.assertEqual(input_of(chat(content=Content(request_body=body))), expected)
        self.assertIsNone(input_of(bare()))

    def test_output(self) -> None:
        """The message of one choice; all else as it is."""
        two: dict[str, Any] = {"choices": [{"message": {}}, {"message": {}}]}
        for body, expected in (
            (ANSWER, {"role": "assistant", "content": "Hello"}),
            (two, two),
            ({"choices": [1]}, {"choices": [1]}),
            ({"choices": [{"text": "x"}]}, {"choices": [{"text": "x"}]}),
            ({"output": []}, {"output": []}),
            ("text", "text"),
            (None, None),
        ):
            with row(body):
                self.assertEqual(output_of(chat(content=Content(response_body=body))), expected)
        self.assertIsNone(output_of(bare()))

    def test_parameters(self) -> None:
        """What a model was asked with, beside what was said."""
        self.assertEqual(parameters_of(chat()), {name: REQUEST[name] for name in ("temperature", "stop", "tools")})
        self.assertEqual(parameters_of(chat(content=Content(request_body=[1]))), {})

    def test_counts(self) -> None:
        """Unknown is not nothing."""
        self.assertEqual(counts_of(chat()), {"prompt": 20, "completion": 9})
        self.assertEqual(counts_of(chat(output_tokens=None)), {"prompt": 20})
        self.assertEqual(counts_of(bare()), {})
