"""The sink for Lunary."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.events.event import Content
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure
from llmproxy.core.events.vendors import lunary
from llmproxy.core.events.vendors.reading import id_of
from llmproxy.core.events.vendors.reference import payload_of
from llmproxy.core.masking import Masking
from llmproxy.errors import ConfigError
from llmproxy.interfaces.events import IEventSink
from llmproxy.sinks.lunary import Lunary

from ..core.events.vendors.samples import bare, chat
from .receiver import FakeAgent, tools

KEY = "0x0-private-key-of-lunary"


class LunaryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.agent = FakeAgent()

    def sink(self, **more: Any) -> Lunary:
        return Lunary({"api_key": KEY, **more}, tools(self.agent))

    def deliver(self, *events: Any, **more: Any) -> Deferred[Any]:
        return self.sink(**more).deliver(events)

    def test_request(self) -> None:
        """A batch is one request with a Bearer key to the documented address."""
        receipt = self.successResultOf(self.deliver(chat(), bare()))
        [(method, url, fields, _)] = self.agent.requests
        self.assertEqual((method, url, fields["Authorization"]), ("POST", lunary.URL, f"Bearer {KEY}"))
        self.assertEqual(self.agent.bodies, [{"events": [*lunary.events_of(chat()), *lunary.events_of(bare())]}])
        self.assertEqual(receipt.status, 200)
        self.assertTrue(verifyObject(IEventSink, self.sink()))
        self.successResultOf(self.sink().close())

    def test_legacy(self) -> None:
        """The reference's list of payloads, for who reads that, elsewhere."""
        self.successResultOf(self.deliver(chat(), bare(), schema="legacy", url="http://127.0.0.1:9/in"))
        self.assertEqual(self.agent.requests[0][1], "http://127.0.0.1:9/in")
        self.assertEqual(self.agent.bodies, [[payload_of(chat()), payload_of(bare())]])

    def test_other_kinds(self) -> None:
        """What is no exchange is passed over; nothing is sent where there is nothing else."""
        self.assertIsNone(self.successResultOf(self.deliver(bare(kind="audit.login"))))
        self.assertEqual(self.agent.requests, [])
        self.successResultOf(self.deliver(bare(kind="audit.login"), chat()))
        self.assertEqual(len(self.agent.bodies[0]["events"]), 2)

    def test_results(self) -> None:
        """A run that is refused is the batch's first failure, those before it are delivered."""
        results = [{"id": id_of(bare(), "run"), "success": False, "error": "bad"}]
        self.agent.answers = lambda _: (200, {"results": results})
        failure: Any = self.failureResultOf(self.deliver(chat(), bare()), PermanentFailure).value
        self.assertEqual((failure.delivered, str(failure)), (1, "refused: bad"))

    def test_statuses(self) -> None:
        """A wrong key is put right by somebody; until then nothing is thrown away."""
        self.agent.answers = lambda _: (401, {"message": "This project does not exist"})
        self.assertIn("401", str(self.failureResultOf(self.deliver(chat()), PassingFailure).value))
        self.agent.answers = lambda _: (400, {})
        self.failureResultOf(self.deliver(chat()), PermanentFailure)

    def test_large(self) -> None:
        """What is too much for one request is sent in several; what is too much by itself goes without its bodies."""
        large = [chat(id=str(number), content=Content(response_body="x" * 1_500_000)) for number in range(3)]
        answers = iter([(200, {}), (503, {})])
        self.agent.answers = lambda _: next(answers)
        failure: Any = self.failureResultOf(self.deliver(*large), PassingFailure).value
        self.assertEqual(([len(each["events"]) for each in self.agent.bodies], failure.delivered), ([4, 2], 2))
        self.agent = FakeAgent()
        self.successResultOf(self.deliver(chat(content=Content(response_body="x" * 5_000_000))))
        self.assertEqual(self.agent.bodies[0]["events"][0]["metadata"]["response_omitted"], "too_large")

    def test_settings(self) -> None:
        """A key is needed, masked from then on, and nothing else is taken for a setting."""
        with self.assertRaisesRegex(ConfigError, "api_key: is missing"):
            Lunary({}, tools())
        with self.assertRaisesRegex(ConfigError, "schema: expected one of vendor, legacy"):
            self.sink(schema="v2")
        with self.assertRaisesRegex(ConfigError, "unknown setting 'endpoint'"):
            self.sink(endpoint="http://r")
        masking = Masking()
        Lunary({"api_key": KEY}, tools(masking=masking))
        self.assertNotIn(KEY, masking.text(f"oh {KEY}"))
