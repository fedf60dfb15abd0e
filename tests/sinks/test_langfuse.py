"""The sink for Langfuse."""

from __future__ import annotations

import base64
import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.events.event import Content
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure
from llmproxy.core.events.vendors import langfuse
from llmproxy.core.events.vendors.reading import id_of
from llmproxy.core.masking import Masking
from llmproxy.errors import ConfigError
from llmproxy.interfaces.events import IEventSink
from llmproxy.sinks.langfuse import Langfuse

from ..core.events.vendors.samples import bare, chat
from ..tables import row
from .receiver import FakeAgent, tools

KEYS = {"public_key": "pk-lf-1234", "secret_key": "sk-lf-0123456789"}


class LangfuseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.agent = FakeAgent(lambda _: (207, {"successes": [], "errors": []}))

    def sink(self, **more: Any) -> Langfuse:
        return Langfuse({**KEYS, **more}, tools(self.agent))

    def deliver(self, *events: Any, **more: Any) -> Deferred[Any]:
        return self.sink(**more).deliver(events)

    def test_request(self) -> None:
        """A batch is one request with both keys, to the documented path of the host."""
        receipt = self.successResultOf(self.deliver(chat(), bare(), environment="eu-1", release="7"))
        [(method, url, fields, _)] = self.agent.requests
        self.assertEqual((method, url), ("POST", "https://cloud.langfuse.com/api/public/ingestion"))
        login = base64.b64decode(fields["Authorization"].removeprefix("Basic "))
        self.assertEqual((login, fields["Content-Type"]), (b"pk-lf-1234:sk-lf-0123456789", "application/json"))
        items = [item for event in (chat(), bare()) for item in langfuse.items_of(event, "eu-1", "7")]
        self.assertEqual(self.agent.bodies, [{"batch": items, "metadata": {"sdk_name": "llmproxy"}}])
        self.assertEqual(receipt.status, 207)
        self.assertTrue(verifyObject(IEventSink, self.sink()))
        self.successResultOf(self.sink().close())

    def test_host(self) -> None:
        """The address of a host, with and without what follows it."""
        for url in ("http://h:3000", "http://h:3000/", "http://h:3000/api/public/ingestion"):
            with row(url):
                self.successResultOf(self.deliver(chat(), url=url))
                self.assertEqual(self.agent.requests[-1][1], "http://h:3000/api/public/ingestion")

    def errors(self, *errors: Any) -> None:
        self.agent.answers = lambda _: (207, {"successes": [], "errors": list(errors)})

    def test_items(self) -> None:
        """An item that is refused is its event's, for good or for now; those before it are delivered."""
        item = id_of(bare(), "span-create")
        for status, kind in ((400, PermanentFailure), (500, PassingFailure)):
            with row(status):
                self.errors({"id": item, "status": status, "message": "no"})
                failure: Any = self.failureResultOf(self.deliver(chat(), bare()), kind).value
                self.assertEqual((failure.delivered, str(failure)), (1, f"status {status}: no"))
        self.successResultOf(self.deliver(chat()))

    def test_statuses(self) -> None:
        """A refusal of the whole is what it is for every sink."""
        for status, kind in (
            (401, PassingFailure),
            (413, PermanentFailure),
            (429, PassingFailure),
            (502, PassingFailure),
        ):
            with row(status):
                self.agent.answers = lambda _, status=status: (status, {})  # type: ignore[misc]
                self.failureResultOf(self.deliver(chat()), kind)

    def test_large(self) -> None:
        """Requests stay below 3.5 MB: in several, and without bodies where one event is more."""
        large = [chat(id=str(number), content=Content(response_body="x" * 700_000)) for number in range(4)]
        item = id_of(large[3], "generation-create")
        self.errors({"id": item, "status": 500})
        failure: Any = self.failureResultOf(self.deliver(*large), PassingFailure).value
        self.assertEqual([len(each["batch"]) for each in self.agent.bodies], [4, 4])
        self.assertTrue(all(len(data) < 3_500_000 for _, _, _, data in self.agent.requests))
        self.assertEqual(failure.delivered, 3)
        self.agent.requests.clear()
        self.errors()
        self.successResultOf(self.deliver(chat(content=Content(response_body="x" * 2_000_000))))
        body = json.loads(self.agent.requests[0][3])["batch"][1]["body"]
        self.assertEqual((body.get("output"), body["metadata"]["response_omitted"]), (None, "too_large"))

    def test_other_kinds(self) -> None:
        """What is no exchange is passed over."""
        self.assertIsNone(self.successResultOf(self.deliver(bare(kind="budget.soft"))))
        self.assertEqual(self.agent.requests, [])

    def test_settings(self) -> None:
        """Both keys are needed, the secret one is masked; environments are those that Langfuse takes."""
        with self.assertRaisesRegex(ConfigError, "(?s)public_key: is missing.*secret_key: is missing"):
            Langfuse({}, tools())
        for name in ("Prod", "langfuse-x", "a" * 41, "a b"):
            with row(name), self.assertRaisesRegex(ConfigError, "environment: expected"):
                self.sink(environment=name)
        masking = Masking()
        Langfuse(KEYS, tools(masking=masking))
        self.assertNotIn(KEYS["secret_key"], masking.text(f"oh {KEYS['secret_key']}"))
