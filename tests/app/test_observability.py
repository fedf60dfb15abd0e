"""Tests for L{llmproxy.app.observability}."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import BytesBody, ConfigError, Event, EventBus, ObservabilityConfig, chain, observability
from llmproxy.core.redaction.patterns import MARK
from llmproxy.errors import UpstreamTimeout
from llmproxy.message import ApiResponse

from ..middleware.fakes import HeldBody, Inner, Reader, a_request, a_response
from ..tables import row

CALL = {"user": "jo", "text": "to jo@example.com"}


class ObservabilityTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.bus = EventBus(self.clock)
        self.bus.subscribe(self.take)

    def take(self, events: Sequence[Event], sizes: Sequence[int] | None) -> None:
        self.events.extend(events)

    def begin(self, secrets: Sequence[str] = (), fields: Any = (), **config: Any) -> tuple[Inner, Any]:
        inner = Inner()
        middleware = observability(
            self.clock, ObservabilityConfig(self.bus, **config), secrets, seconds=self.clock.seconds
        )
        request = a_request(method=b"POST", fields=[(b"Content-Type", b"application/json"), *fields])
        request.body = BytesBody(json.dumps(CALL).encode())
        return inner, chain(inner, middleware)(request)

    def test_event(self) -> None:
        """An exchange is published when it has ended, with what was said in it."""
        inner, responding = self.begin(redact=["$.user", "email"])
        body = HeldBody()
        inner.answer(a_response(body=body, fields=[(b"Content-Type", b"application/json")]))
        response: ApiResponse = self.successResultOf(responding)
        assert response.body is not None
        response.body.startProducing(Reader())
        body.write(b'{"a": ')
        body.write(b'"b"}')
        self.assertEqual(self.events, [])
        body.end()
        [event] = self.events
        self.assertEqual((event.kind, event.status, event.ended, event.method), ("exchange", 200, "complete", "POST"))
        assert event.content is not None
        self.assertEqual(event.content.request_body, {"user": MARK, "text": f"to {MARK}"})
        self.assertEqual(event.content.response_body, {"a": "b"})

    def test_failure(self) -> None:
        """One that fails is published too."""
        inner, responding = self.begin()
        inner.fail(UpstreamTimeout("response_header"))
        self.failureResultOf(responding, UpstreamTimeout)
        [event] = self.events
        self.assertEqual((event.status, event.ended), (504, "timeout"))
        assert event.content is not None
        self.assertEqual(event.content.request_body, CALL)

    def test_metadata(self) -> None:
        """Without bodies an event has none; nor has that of a client that does not want it, where it may choose."""
        off = [(b"X-LLMProxy-Capture", b"off")]
        for fields, config, has_content in (
            ((), {"capture_bodies": False}, False),
            ((), {"sample": 0.0}, False),
            (off, {"opt_out": True}, False),
            (off, {}, True),
        ):
            with row(fields, config):
                self.events.clear()
                inner, _ = self.begin(fields=fields, **config)  # type: ignore[arg-type]
                inner.answer(a_response())
                [event] = self.events
                self.assertEqual(event.content is not None, has_content)
                self.assertNotIn(b"X-LLMProxy-Capture", dict(inner.requests[-1].fields))

    def test_disabled(self) -> None:
        """Off publishes nothing."""
        inner, _ = self.begin(enabled=False)
        inner.answer(a_response())
        self.assertEqual(self.events, [])

    def test_secrets(self) -> None:
        """Secrets that the application names stand in no event."""
        inner, _ = self.begin(["to jo@example.com"])
        inner.answer(a_response())
        [event] = self.events
        self.assertNotIn("jo@example.com", str(event))

    def test_wrong(self) -> None:
        """What cannot hold is said when it is made, all of it."""
        for config, why in (
            ({"headers": ["Authorization"]}, "headers: Authorization carries a credential"),
            ({"redact": ["mail"]}, "redact: 'mail' is no pattern"),
            ({"max_request_body_bytes": -1}, "max_request_body_bytes: expected a number of bytes"),
            ({"sample": 7}, "sample: expected a number from 0 to 1"),
        ):
            with row(config):
                wrong = ObservabilityConfig(self.bus, **config)  # type: ignore[arg-type]
                error = self.assertRaises(ConfigError, observability, self.clock, wrong)
                self.assertIn(why, str(error))
        self.assertIn(
            "event_bus", str(self.assertRaises(ConfigError, observability, self.clock, ObservabilityConfig(5)))
        )
