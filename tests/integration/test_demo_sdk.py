"""The SDKs of OpenAI and Anthropic against the demo upstream itself: it is shaped as they expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import openai
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from llmproxy.demo import DemoUpstream

KEY = "demo-key"
ASK: Any = [{"role": "user", "content": "Hello there"}]


class SdkTests(TestCase):
    timeout = 30

    @inlineCallbacks
    def setUp(self) -> Any:
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")  # type: ignore[arg-type]
        port = yield endpoint.listen(Site(DemoUpstream(reactor, KEY, pause=0.001)))  # type: ignore[arg-type]
        self.addCleanup(port.stopListening)
        self.url = f"http://127.0.0.1:{port.getHost().port}"

    def openai(self, work: Callable[[openai.OpenAI], Any], key: str = KEY) -> Deferred[Any]:
        def run() -> Any:
            with openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0) as client:
                return work(client)

        return deferToThread(run)

    def anthropic(self, work: Callable[[anthropic.Anthropic], Any], key: str = KEY) -> Deferred[Any]:
        def run() -> Any:
            with anthropic.Anthropic(base_url=self.url, api_key=key, max_retries=0) as client:
                return work(client)

        return deferToThread(run)

    @inlineCallbacks
    def test_chat(self) -> Any:
        """An answer whole, and the same in pieces with usage at the end."""
        answer = yield self.openai(lambda c: c.chat.completions.create(model="demo", messages=ASK))
        self.assertEqual(answer.choices[0].message.content, "You said: Hello there")

        def stream(client: openai.OpenAI) -> list[Any]:
            options: Any = {"include_usage": True}
            return list(client.chat.completions.create(model="demo", messages=ASK, stream=True, stream_options=options))

        chunks = yield self.openai(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual((text, chunks[-1].usage.total_tokens), ("You said: Hello there", 6))

    @inlineCallbacks
    def test_the_rest_of_openai(self) -> Any:
        """Models, embeddings, responses, files and transcriptions are what the SDK can read."""
        models = yield self.openai(lambda c: [model.id for model in c.models.list()])
        self.assertIn("demo", models)
        vectors = yield self.openai(lambda c: c.embeddings.create(model="demo-embedding", input=["a", "b"]))
        self.assertEqual([len(item.embedding) for item in vectors.data], [16, 16])
        answer = yield self.openai(lambda c: c.responses.create(model="demo", input="Hello there"))
        self.assertEqual(answer.output_text, "You said: Hello there")
        stored = yield self.openai(lambda c: c.files.create(file=("x.jsonl", b"{}\n" * 1000), purpose="batch"))
        content = yield self.openai(lambda c: c.files.content(stored.id).read())
        self.assertEqual((stored.bytes, content), (3000, b"{}\n" * 1000))
        heard = yield self.openai(lambda c: c.audio.transcriptions.create(model="demo", file=("a.wav", b"RIFF")))
        self.assertEqual(heard.text, "A recording of 4 bytes.")

    @inlineCallbacks
    def test_anthropic(self) -> Any:
        """A message whole and streamed."""
        whole = yield self.anthropic(lambda c: c.messages.create(model="demo", max_tokens=9, messages=ASK))
        self.assertEqual((whole.content[0].text, whole.usage.output_tokens), ("You said: Hello there", 4))

        def stream(client: anthropic.Anthropic) -> Any:
            with client.messages.stream(model="demo", max_tokens=9, messages=ASK) as events:
                return "".join(events.text_stream), events.get_final_message().usage.output_tokens

        streamed = yield self.anthropic(stream)
        self.assertEqual(streamed, ("You said: Hello there", 4))

    @inlineCallbacks
    def test_wrong_key(self) -> Any:
        """Each SDK raises its own exception."""
        asked = self.openai(lambda c: c.models.list(), key="sk-withering")
        yield self.assertFailure(asked, openai.AuthenticationError)
        told = self.anthropic(lambda c: c.messages.create(model="demo", max_tokens=9, messages=ASK), key="sk-withering")
        yield self.assertFailure(told, anthropic.AuthenticationError)
