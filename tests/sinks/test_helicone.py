"""The sink for Helicone."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.events.event import Content
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure
from llmproxy.core.events.vendors import helicone
from llmproxy.core.events.vendors.reference import helicone_of
from llmproxy.core.masking import Masking
from llmproxy.errors import ConfigError
from llmproxy.interfaces.events import IEventSink
from llmproxy.sinks.helicone import Helicone

from ..core.events.vendors.samples import bare, chat
from ..tables import row
from .receiver import FakeAgent, tools

KEY = "sk-helicone-0123456789"


class HeliconeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.agent = FakeAgent()

    def sink(self, **more: Any) -> Helicone:
        return Helicone({"api_key": KEY, **more}, tools(self.agent))

    def deliver(self, *events: Any, **more: Any) -> Deferred[Any]:
        return self.sink(**more).deliver(events)

    def test_requests(self) -> None:
        """One request for each exchange, in their order, with a Bearer key."""
        receipt = self.successResultOf(self.deliver(chat(), bare(kind="audit.login"), bare()))
        self.assertEqual([(each[0], each[1]) for each in self.agent.requests], [("POST", helicone.URL)] * 2)
        self.assertEqual(self.agent.requests[0][2]["Authorization"], f"Bearer {KEY}")
        self.assertEqual(self.agent.bodies, [helicone.request_of(chat()), helicone.request_of(bare())])
        self.assertEqual(receipt.status, 200)
        self.assertTrue(verifyObject(IEventSink, self.sink()))
        self.successResultOf(self.sink().close())

    def test_legacy(self) -> None:
        """What the reference sends, elsewhere."""
        self.successResultOf(self.deliver(chat(), schema="legacy", url="http://127.0.0.1:9/log"))
        self.assertEqual(
            (self.agent.requests[0][1], self.agent.bodies), ("http://127.0.0.1:9/log", [helicone_of(chat())])
        )

    def test_failures(self) -> None:
        """What was taken before a failure is not sent again; 400 is for good."""
        for answer, kind in (
            ((400, {}), PermanentFailure),
            ((500, {}), PassingFailure),
            ((429, {}), PassingFailure),
            ((401, {}), PassingFailure),
            ((503, {}), PassingFailure),
            (ConnectionError("reset"), PassingFailure),
        ):
            with row(answer):
                answers: Any = iter([(200, {}), answer])
                self.agent.answers = lambda _, answers=answers: next(answers)  # type: ignore[misc]
                failure: Any = self.failureResultOf(self.deliver(chat(), bare(), chat()), kind).value
                self.assertEqual(failure.delivered, 1)

    def test_broken(self) -> None:
        """A 500 may be Helicone's fault, or the event's: the third in a row for one event is for good."""
        sink = self.sink()
        answers = iter([500, 503, 500, 500, 500, 200])
        self.agent.answers = lambda _: (next(answers), {})
        kinds = [PassingFailure, PassingFailure, PassingFailure, PermanentFailure, PassingFailure]
        for number, (kind, event) in enumerate(zip(kinds, [chat()] * 4 + [bare()], strict=True)):
            self.assertIs(type(self.failureResultOf(sink.deliver([event])).value), kind, number)
        self.successResultOf(sink.deliver([bare()]))

    def test_slow(self) -> None:
        """An attempt that takes too long keeps what it has delivered: others would be sent again without end."""
        clock = Clock()
        answers: Any = iter([(200, {}), (200, {}), None])
        self.agent.answers = lambda _: next(answers)
        delivering = self.deliver(chat(), bare(), chat())
        delivering.addTimeout(30, clock)
        clock.advance(30)
        failure: Any = self.failureResultOf(delivering, PassingFailure).value
        self.assertEqual(failure.delivered, 2)

    def test_large(self) -> None:
        """What Helicone would not take goes without its bodies."""
        self.successResultOf(self.deliver(chat(content=Content(response_body="x" * 9_000_001))))
        meta = self.agent.bodies[0]["providerRequest"]["meta"]
        self.assertEqual(meta["Helicone-Property-response_omitted"], "too_large")

    def test_settings(self) -> None:
        """A key is needed, and masked from then on."""
        with self.assertRaisesRegex(ConfigError, "api_key: is missing"):
            Helicone({}, tools())
        masking = Masking()
        Helicone({"api_key": KEY}, tools(masking=masking))
        self.assertNotIn(KEY, masking.text(f"oh {KEY}"))
