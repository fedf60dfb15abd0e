"""The real OpenAI and Anthropic SDKs, unchanged, through the proxy to the demo upstream."""

from __future__ import annotations

import io
from typing import Any

import anthropic
import openai
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.web.server import Site

from llmproxy.config import APIProviderConfig
from llmproxy.demo import DemoUpstream
from llmproxy.providers.registry import AUTH
from llmproxy.service import ProxyService

from .harness import UPSTREAM_KEY, ProxyTestCase

ASK: Any = [{"role": "user", "content": "Hello there friend"}]


class SdkTestCase(ProxyTestCase):
    async def start_proxy(self, base_url: str) -> ProxyService:
        site = Site(DemoUpstream(reactor, UPSTREAM_KEY, 0.005), reactor=reactor)
        self._demo = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(site)
        self.addCleanup(self._demo.stopListening)
        return await super().start_proxy(f"http://127.0.0.1:{self._demo.getHost().port}")

    def api(self, base_url: str) -> APIProviderConfig:
        anthropic_shaped = base_url.endswith("/base")
        return APIProviderConfig(
            base_url=base_url.removesuffix("/base"),
            allowed_endpoints=["/v1"],
            allowed_methods=["GET", "POST"],
            dialect="anthropic" if anthropic_shaped else "openai",
            auth=AUTH["x-api-key" if anthropic_shaped else "bearer"],
        )

    def openai(self, secret: str = "") -> openai.OpenAI:
        client = openai.OpenAI(
            base_url=f"http://127.0.0.1:{self.port}/v1", api_key=secret or self.secret, max_retries=0, timeout=10
        )
        self.addCleanup(client.close)
        return client

    def anthropic(self, secret: str = "") -> anthropic.Anthropic:
        client = anthropic.Anthropic(
            base_url=f"http://127.0.0.1:{self.port}/other", api_key=secret or self.secret, max_retries=0, timeout=10
        )
        self.addCleanup(client.close)
        return client


class OpenAITests(SdkTestCase):
    async def test_plain(self) -> None:
        """A completion, with its usage."""
        answer = await deferToThread(self.openai().chat.completions.create, model="demo", messages=ASK)
        self.assertEqual(answer.choices[0].message.content, "You said: Hello there friend")
        self.assertEqual(answer.usage.completion_tokens, 5)

    async def test_streamed(self) -> None:
        """A stream, with the usage at its end."""

        def read() -> tuple[str, int]:
            options: Any = {"include_usage": True}
            stream = self.openai().chat.completions.create(
                model="demo", messages=ASK, stream=True, stream_options=options
            )
            chunks = list(stream)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            assert chunks[-1].usage is not None
            return text, chunks[-1].usage.total_tokens

        self.assertEqual(await deferToThread(read), ("You said: Hello there friend", 8))

    async def test_embeddings(self) -> None:
        """Embeddings, which the SDK asks for in base64."""
        answer = await deferToThread(self.openai().embeddings.create, model="demo-embedding", input=["a", "b"])
        self.assertEqual([len(item.embedding) for item in answer.data], [16, 16])

    async def test_upload(self) -> None:
        """A multipart upload of a file that is larger than any buffer."""
        content = io.BytesIO(b"x" * 2_000_000)
        answer = await deferToThread(self.openai().files.create, file=content, purpose="assistants")
        self.assertEqual(answer.bytes, 2_000_000)

    async def test_raw(self) -> None:
        """The raw response has the upstream's fields, and the proxy's request id."""
        raw = await deferToThread(self.openai().models.with_raw_response.list)
        self.assertIn("x-request-id", raw.headers)
        self.assertIn("demo-embedding", [model.id for model in raw.parse().data])

    async def test_errors(self) -> None:
        """The proxy's refusals are raised as the SDK's own exceptions."""
        wrong = self.openai("sk-" + "A" * 22)
        error = await self.assertFailure_(deferToThread(wrong.models.list), openai.AuthenticationError)
        self.assertEqual(error.code, "token_not_found")
        limited = self.openai(await self.new_token(max_requests=1))
        await deferToThread(limited.models.list)
        await self.assertFailure_(deferToThread(limited.models.list), openai.RateLimitError)
        nowhere: Any = self.openai().get
        await self.assertFailure_(deferToThread(nowhere, "/../none", cast_to=object), openai.NotFoundError)

    async def test_cancelled(self) -> None:
        """A stream that the program closes ends the exchange."""

        def read() -> None:
            ask: Any = [{"role": "user", "content": "word " * 2000}]
            stream = self.openai().chat.completions.create(model="demo", messages=ask, stream=True)
            next(iter(stream))
            stream.close()

        await deferToThread(read)
        for _ in range(50):
            if self.records:
                break
            await deferLater(reactor, 0.02)
        self.assertEqual([record.ended for record in self.records], ["client_left"])

    async def assertFailure_(self, calling: Any, error: type[Exception]) -> Any:
        try:
            await calling
        except error as raised:
            return raised
        raise AssertionError(f"{error.__name__} was not raised")


class AnthropicTests(SdkTestCase):
    async def test_plain(self) -> None:
        """A message, asked for with the token as C{x-api-key}."""
        answer = await deferToThread(self.anthropic().messages.create, model="demo", max_tokens=9, messages=ASK)
        self.assertEqual(answer.content[0].text, "You said: Hello there friend")

    async def test_streamed(self) -> None:
        """A streamed message."""

        def read() -> str:
            with self.anthropic().messages.stream(model="demo", max_tokens=9, messages=ASK) as stream:
                return "".join(stream.text_stream)

        self.assertEqual(await deferToThread(read), "You said: Hello there friend")

    async def test_errors(self) -> None:
        """A refusal has the shape that makes the SDK's own exception."""
        client = self.anthropic("sk-" + "A" * 22)
        try:
            await deferToThread(client.messages.create, model="demo", max_tokens=9, messages=ASK)
        except anthropic.AuthenticationError as error:
            self.assertEqual(error.body["error"]["type"], "authentication_error")  # type: ignore[index,call-overload]
        else:
            self.fail("nothing was raised")
