"""Entries of a stream, ours and the reference's."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events import Event, encode
from llmproxy.core.events.fromstream import published_at, sourced_of

from ...tables import row
from .vendors.samples import ANSWER, REQUEST, bare, chat

ID = "1796036926369-0"
AT = datetime(2026, 11, 30, 11, 8, 46, 369000, tzinfo=timezone.utc)

STREAM = (
    'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":'
    '{"role":"assistant","content":"Hel"}}]}\n\n'
    'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":'
    '{"content":"lo"},"finish_reason":"stop"}]}\n\n'
    'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],"usage":'
    '{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
    "data: [DONE]\n\n"
)


def legacy(answer: Any = ANSWER, kind: str = "application/json", more: Any = None, **values_too: Any) -> bytes:
    """As the reference writes it, C{more} header fields of the answer."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    values = {
        "LogID": 0,
        "RequestID": "r-1",
        "Method": "POST",
        "Path": "/v1/chat/completions",
        "Status": 200,
        "Duration": 1_500_000_000,
        "ResponseHeaders": {"Content-Type": [kind], **(more or {})},
        "ResponseBody": base64.b64encode(body).decode(),
        "RequestBody": base64.b64encode(json.dumps(REQUEST).encode()).decode(),
    }
    return json.dumps(values | values_too).encode()


def event_of(data: bytes) -> Event:
    event = sourced_of(ID, data).event
    assert event is not None
    return event


class SourcedTests(SynchronousTestCase):
    def test_ours(self) -> None:
        """Schema 1 is taken as it is."""
        for event in (chat(), bare(), bare(kind="audit.login")):
            with row(event.id, event.kind):
                self.assertEqual(sourced_of(ID, encode(event), 3).event, event)
        self.assertEqual(sourced_of(ID, encode(bare()), 3).deliveries, 3)

    def test_legacy(self) -> None:
        """The reference's has the time at which it was published, and what its bodies show."""
        event = event_of(legacy())
        self.assertEqual(event.time, AT - timedelta(seconds=1.5))
        self.assertEqual(
            (event.model, event.served_model, event.input_tokens, event.output_tokens, event.usage, event.streamed),
            ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", 20, 9, ANSWER["usage"], False),
        )
        self.assertEqual(event.id, event_of(legacy()).id)

    def test_stream(self) -> None:
        """A stream of the reference becomes the answer that a plain call would have given."""
        event = event_of(legacy(STREAM.encode(), "text/event-stream; charset=utf-8"))
        assert event.content is not None
        message = event.content.response_body["choices"][0]["message"]
        self.assertEqual((message["content"], event.content.merged, event.streamed), ("Hello", True, True))
        self.assertEqual((event.served_model, event.input_tokens, event.output_tokens), ("m-1", 3, 2))

    def test_merged_stream(self) -> None:
        """One that a proxy of ours has merged already is the answer that stands there."""
        event = event_of(legacy(ANSWER, "text/event-stream"))
        assert event.content is not None
        self.assertEqual((event.content.response_body, event.streamed, event.output_tokens), (ANSWER, True, 9))

    def test_cut_stream(self) -> None:
        """One that is cut says so."""
        content = event_of(legacy(STREAM[:200].encode(), "text/event-stream")).content
        assert content is not None
        self.assertTrue(content.response_truncated)

    def test_codings(self) -> None:
        """What upstream has compressed is read, within a bound; what cannot be is said to be."""
        body = json.dumps(ANSWER).encode()
        event = event_of(legacy(gzip.compress(body), more={"Content-Encoding": ["gzip"]}))
        assert event.content is not None
        self.assertEqual((event.content.response_body, event.output_tokens), (ANSWER, 9))
        bomb = gzip.compress(b"[" + b"1," * (4 << 20) + b"1]")
        content = event_of(legacy(bomb, more={"Content-Encoding": ["gzip"]})).content
        assert content is not None
        self.assertLess(len(json.dumps(content.response_body)), 4 << 20)
        self.assertTrue(content.response_truncated or content.response_omitted)
        for data, coding, why in ((b"no gzip", "gzip", "undecodable"), (body, "secret", "undecodable")):
            with row(coding, data):
                content = event_of(legacy(data, more={"Content-Encoding": [coding]})).content
                assert content is not None
                self.assertIn(why, content.response_omitted)

    def test_secrets(self) -> None:
        """The reference takes nothing out: keys and cookies are, here."""
        key = "sk-proj-" + "A1b2C3d4" * 6
        answer = {"error": {"message": f"Incorrect API key provided: {key}"}}
        event = event_of(legacy(answer, more={"Set-Cookie": ["session=canary"], "X-Echo": [f"Bearer {key}"]}))
        self.assertNotIn(key, str(event))
        self.assertNotIn("canary", str(event))

    def test_cut(self) -> None:
        """A body as long as the reference keeps of one was cut there, which it does not say."""
        text = json.dumps({"choices": [{"message": {"content": "x" * 300_000}}]}).encode()[: 256 * 1024]
        content = event_of(legacy(text)).content
        assert content is not None
        self.assertTrue(content.response_truncated)

    def test_binary(self) -> None:
        """What is no text is left out, and says what it was."""
        content = event_of(legacy(b"\x89PNG" + bytes(range(256)), "image/png")).content
        assert content is not None
        self.assertEqual((content.response_body, content.response_omitted[:17]), (None, "binary (image/png"))

    def test_without_bodies(self) -> None:
        """What has no bodies has a time all the same."""
        event = event_of(legacy(ResponseBody=None, RequestBody=None, ResponseHeaders=None))
        self.assertEqual((event.time, event.content, event.model), (AT - timedelta(seconds=1.5), None, ""))

    def test_counts(self) -> None:
        """Tokens by the names of either API; what is no number is none."""
        for usage, expected in (
            ({"input_tokens": 3, "output_tokens": 4}, (3, 4)),
            ({"prompt_tokens": 3}, (3, None)),
            ({"prompt_tokens": "3", "completion_tokens": True}, (None, None)),
            ({"prompt_tokens": -1, "completion_tokens": 2**70}, (None, None)),
        ):
            with row(usage):
                event = event_of(legacy({"usage": usage}))
                self.assertEqual((event.input_tokens, event.output_tokens), expected)

    def test_no_event(self) -> None:
        """What is none keeps its bytes, for the dead letters."""
        for data in (b"", b"{", b"[]", b'{"id": 3}', b'{"RequestID": 3}', b"\xff"):
            with row(data):
                found = sourced_of(ID, data, 2)
                self.assertEqual((found.event, found.data, found.deliveries, found.id), (None, data, 2, ID))
        self.assertEqual(sourced_of(ID, None).data, b"")

    @given(st.binary())
    def test_anything(self, data: bytes) -> None:
        """Whatever stands in a stream breaks nothing."""
        self.assertEqual(sourced_of(ID, data).data, data)

    def test_published(self) -> None:
        """An id says when; what is no id of Redis says nothing."""
        epoch = datetime.fromtimestamp(0, timezone.utc)
        for text, expected in ((ID, AT), ("x-0", epoch), ("", epoch), ("9" * 30, epoch)):
            with row(text):
                self.assertEqual(published_at(text), expected)
