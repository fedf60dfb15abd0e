"""The sink C{http}."""

from __future__ import annotations

import gzip
import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.events import Content
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure, Receipt
from llmproxy.core.events.webhooks import key_of, signature
from llmproxy.core.masking import Masking
from llmproxy.errors import ConfigError
from llmproxy.interfaces.events import IEventSink
from llmproxy.sinks.webhook import Webhook

from ..core.events.samples import event
from .eventing import Receiver, tools

URL = "http://127.0.0.1:9000/in"


class WebhookTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.receiver = Receiver()
        self.clock = Clock()
        self.clock.advance(1_796_000_000)

    def make(self, **settings: Any) -> Webhook:
        sink = Webhook({"url": URL, **settings}, tools(self.clock, self.receiver.agent))
        verifyObject(IEventSink, sink)
        return sink

    def test_batch(self) -> None:
        """A batch is one POST of an array."""
        receipt = self.successResultOf(self.make().deliver([event(1), event(2)]))
        self.assertEqual(receipt, Receipt(200, "thanks"))
        [asked] = self.receiver.asked
        self.assertEqual((asked.method, asked.url), ("POST", URL))
        self.assertEqual([each["id"] for each in json.loads(asked.body)], ["e-1", "e-2"])
        self.assertEqual(asked.headers["content-type"], "application/json")
        self.assertNotIn("webhook-signature", asked.headers)

    def test_signed(self) -> None:
        """With a secret every batch is signed, with its id and the time; the same batch has the same id."""
        sink = self.make(secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        for _ in range(2):
            self.successResultOf(sink.deliver([event(1)]))
            self.clock.advance(60)
        one, other = self.receiver.asked
        self.assertEqual(one.headers["webhook-id"], other.headers["webhook-id"])
        key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        for asked, now in ((one, 1_796_000_000), (other, 1_796_000_060)):
            self.assertEqual(asked.headers["webhook-timestamp"], str(now), now)
            expected = signature(key, asked.headers["webhook-id"], now, asked.body)
            self.assertEqual(asked.headers["webhook-signature"], expected, now)

    def test_forms(self) -> None:
        """Lines instead of an array, packed, with fields of one's own."""
        sink = self.make(format="jsonl", compress=True, headers={"Authorization": "Bearer abc"})
        self.successResultOf(sink.deliver([event(1), event(2)]))
        [asked] = self.receiver.asked
        self.assertEqual(gzip.decompress(asked.body).count(b"\n"), 2)
        self.assertEqual(asked.headers["content-encoding"], "gzip")
        self.assertEqual(asked.headers["authorization"], "Bearer abc")

    def test_content(self) -> None:
        """Large events are written on a thread, and are the same there."""
        sink = self.make(secret="secret")
        self.successResultOf(sink.deliver([event(1, content=Content(request_body={"a": "b"})), event(2)]))
        [asked] = self.receiver.asked
        self.assertEqual(json.loads(asked.body)[0]["content"], {"request_body": {"a": "b"}})
        expected = signature(b"secret", asked.headers["webhook-id"], 1_796_000_000, asked.body)
        self.assertEqual(asked.headers["webhook-signature"], expected)

    def test_refused(self) -> None:
        """What the receiver never takes, what it may take later, and when."""
        sink = self.make()
        self.receiver.answer = (422, b"no such field")
        failure = self.failureResultOf(sink.deliver([event(1)]), PermanentFailure)
        self.assertIn("422 no such field", failure.getErrorMessage())
        self.receiver.answer = (429, b"")
        self.receiver.fields = {b"Retry-After": [b"7"]}
        failure = self.failureResultOf(sink.deliver([event(1)]), PassingFailure)
        self.assertEqual(failure.value.retry_after, 7)
        self.receiver.answer = (302, b"")
        self.failureResultOf(sink.deliver([event(1)]), PassingFailure)

    def test_settings(self) -> None:
        """What cannot work is refused, and no secret is shown."""
        for settings, why in (
            ({"url": "ftp://x"}, "url: expected a URL"),
            ({"secret": "whsec_x!"}, "secret: expected base64"),
            ({"secret": ""}, "secret: is empty"),
            ({"headers": {"Host": "x"}}, "Host is set by the sink"),
            ({"headers": {"a b": "x"}}, "headers: "),
            ({"headers": {"a": "x\ny"}}, "value of a is no text"),
            ({"format": "xml"}, "format: "),
        ):
            with self.assertRaisesRegex(ConfigError, why, msg=str(settings)):
                self.make(**settings)

    def test_masked(self) -> None:
        """The secret and the values of fields are masked wherever they turn up."""
        masking = Masking()
        Webhook({"url": URL, "secret": "open sesame", "headers": {"X-Key": "0123456789"}}, tools(masking=masking))
        self.assertEqual(masking.text("open sesame 0123456789"), "[masked] [masked]")
