"""The usage objects of the real SDKs, and what the proxy has counted of the same answers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import anthropic
import openai
from google import genai
from sqlalchemy import select
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import Site

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.model import MeterConfig
from llmproxy.providers.registry import AUTH
from llmproxy.service import ProxyService
from llmproxy.store.schema import usage_records
from llmproxy.usage import Usage

from .harness import ProxyTestCase

ASK: Any = [{"role": "user", "content": "Hello"}]
CHAT = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 1},
}
RESPONSE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 6},
    "total_tokens": 16,
}
CLAUDE = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 40,
    "cache_read_input_tokens": 500,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 30},
    "output_tokens": 17,
    "output_tokens_details": {"thinking_tokens": 9},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
}
GEMINI = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 4,
    "thoughtsTokenCount": 20,
    "cachedContentTokenCount": 6,
    "toolUsePromptTokenCount": 3,
    "totalTokenCount": 37,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}, {"modality": "AUDIO", "tokenCount": 2}],
}
IMAGE = {
    "total_tokens": 100,
    "input_tokens": 50,
    "output_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
HEARD = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
    "output_tokens": 45,
    "total_tokens": 59,
}


def chunk(delta: Any = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x", "choices": choices, **more}


def response(status: str, usage: Any, **more: Any) -> dict[str, Any]:
    base = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-x", "output": []}
    return {**base, "status": status, "usage": usage, "parallel_tool_calls": True, "tools": [], **more}


def message(usage: Any) -> dict[str, Any]:
    base = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_sequence": None}
    return {**base, "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "usage": usage}


def candidate(**more: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": "Hi"}]}
    return {"candidates": [{"content": content, "index": 0, **more}], "modelVersion": "gem-x"}


STARTED = {**message(CLAUDE | {"output_tokens": 1}), "content": [], "stop_reason": None}
DELTA = {"output_tokens": 17, "output_tokens_details": {"thinking_tokens": 9}, "input_tokens": None}

ANSWERS: dict[tuple[str, bool], Any] = {
    ("/v1/chat/completions", False): {
        **chunk(),
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": CHAT,
    },
    ("/v1/chat/completions", True): [
        *(("", chunk({"content": each}, usage=None)) for each in "Hi"),
        ("", chunk(usage=CHAT)),
        ("", "[DONE]"),
    ],
    ("/v1/responses", False): response("completed", RESPONSE),
    ("/v1/responses", True): [
        (f"response.{kind}", {"type": f"response.{kind}", "sequence_number": 0, "response": answer})
        for kind, answer in (
            ("created", response("in_progress", None)),
            ("completed", response("completed", RESPONSE)),
        )
    ],
    ("/v1/embeddings", False): {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": "AAAAAA=="}],
        "model": "emb-x",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    },
    ("/v1/images/generations", False): {"created": 1, "data": [{"b64_json": "AAAA"}] * 2, "usage": IMAGE},
    ("/v1/audio/transcriptions", False): {"text": "Hi", "usage": HEARD},
    ("/v1/messages", False): message(CLAUDE),
    ("/v1/messages", True): [
        ("message_start", {"type": "message_start", "message": STARTED}),
        (
            "content_block_start",
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        ),
        (
            "content_block_delta",
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        ),
        ("content_block_stop", {"type": "content_block_stop", "index": 0}),
        ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": DELTA}),
        ("message_stop", {"type": "message_stop"}),
    ],
    ("/v1/messages/count_tokens", False): {"input_tokens": 14},
    ("/v1/models/gem:generateContent", False): {**candidate(finishReason="STOP"), "usageMetadata": GEMINI},
    ("/v1/models/gem:streamGenerateContent", False): [
        ("", {**candidate(), "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10}}),
        ("", {**candidate(finishReason="STOP"), "usageMetadata": GEMINI}),
    ],
}
"""By path, and whether the body asks for a stream."""


class Answers(Resource):
    """
    An upstream that answers by its table.

    @ivar polled: how often an answer of the background was asked for.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.polled = 0

    def render_POST(self, request: Any) -> bytes:
        body = request.content.read()
        called = json.loads(body) if body.startswith(b"{") else {}
        if called.get("background"):
            return self._json(request, response("queued", None, background=True))
        answer = ANSWERS[request.path.decode(), called.get("stream") is True]
        if not isinstance(answer, list):
            return self._json(request, answer)
        request.setHeader("Content-Type", "text/event-stream")
        # Not asked for its usage, it tells none.
        options = called.get("stream_options") or {}
        silent = "completions" in request.path.decode() and options.get("include_usage") is not True
        for name, data in answer:
            if not (silent and isinstance(data, dict) and data.get("usage")):
                text = data if isinstance(data, str) else json.dumps(data)
                request.write((f"event: {name}\n" if name else "").encode() + b"data: " + text.encode() + b"\n\n")
        return b""

    def render_GET(self, request: Any) -> bytes:
        self.polled += 1
        done = self.polled > 2
        answer = response("completed" if done else "in_progress", RESPONSE if done else None, background=True)
        return self._json(request, answer)

    def _json(self, request: Any, answer: Any) -> bytes:
        request.setHeader("Content-Type", "application/json")
        return json.dumps(answer).encode()


class UsageOfSdksTests(ProxyTestCase):
    async def start_proxy(self, base_url: str) -> ProxyService:
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Site(Answers(), reactor=reactor))
        self.addCleanup(port.stopListening)
        return await super().start_proxy(f"http://127.0.0.1:{port.getHost().port}")

    def config(self, base_url: str) -> APIConfig:
        apis = {
            name: APIProviderConfig(
                base_url=base_url,
                allowed_endpoints=["/v1", "/v1beta"],
                allowed_methods=["GET", "POST"],
                dialect=dialect,
                auth=AUTH[auth],
                meter=meter,
            )
            for name, dialect, auth, meter in (
                ("openai", "openai", "bearer", MeterConfig()),
                ("injected", "openai", "bearer", MeterConfig(include_usage="inject")),
                ("anthropic", "anthropic", "x-api-key", MeterConfig()),
                ("gemini", "gemini", "x-goog-api-key", MeterConfig()),
            )
        }
        return APIConfig(apis, "openai")

    def openai(self, api: str = "openai") -> openai.OpenAI:
        url = f"http://127.0.0.1:{self.port}/{api}/v1"
        client = openai.OpenAI(base_url=url, api_key=self.secret, max_retries=0, timeout=10)
        self.addCleanup(client.close)
        return client

    def anthropic(self) -> anthropic.Anthropic:
        url = f"http://127.0.0.1:{self.port}/anthropic"
        client = anthropic.Anthropic(base_url=url, api_key=self.secret, max_retries=0, timeout=10)
        self.addCleanup(client.close)
        return client

    def gemini(self) -> genai.Client:
        options: Any = {"base_url": f"http://127.0.0.1:{self.port}/gemini"}
        client = genai.Client(api_key=self.secret, http_options=options)
        self.addCleanup(client.close)
        return client

    async def counted(self, calling: Callable[[], Any], exchanges: int = 1) -> tuple[Any, list[Usage | None]]:
        """What a program got, and what the proxy counted of it."""
        self.records.clear()
        got = await deferToThread(calling)
        for _ in range(100):
            if len(self.records) == exchanges:
                break
            await deferLater(reactor, 0.02)
        return got, [record.usage for record in self.records]

    def check(self, used: list[Usage | None], **expected: Any) -> None:
        [usage] = used
        assert usage is not None
        self.assertEqual({name: getattr(usage, name) for name in expected}, expected)

    def check_chat(self, said: Any, used: list[Usage | None]) -> None:
        self.check(
            used,
            input_tokens=said.prompt_tokens,
            output_tokens=said.completion_tokens,
            cached_input_tokens=said.prompt_tokens_details.cached_tokens,
            audio_input_tokens=said.prompt_tokens_details.audio_tokens,
            audio_output_tokens=said.completion_tokens_details.audio_tokens,
            reasoning_tokens=said.completion_tokens_details.reasoning_tokens,
            served_model="gpt-x",
        )

    def check_response(self, said: Any, used: list[Usage | None]) -> None:
        self.check(
            used,
            input_tokens=said.input_tokens,
            output_tokens=said.output_tokens,
            cached_input_tokens=said.input_tokens_details.cached_tokens,
            cache_write_tokens=said.input_tokens_details.cache_write_tokens,
            reasoning_tokens=said.output_tokens_details.reasoning_tokens,
            served_model="gpt-x",
        )

    async def test_chat(self) -> None:
        """Chat completions, in one piece and streamed."""
        create: Any = self.openai().chat.completions.create
        got, used = await self.counted(lambda: create(model="gpt", messages=ASK))
        self.check_chat(got.usage, used)
        options = {"include_usage": True}
        got, used = await self.counted(
            lambda: list(create(model="gpt", messages=ASK, stream=True, stream_options=options))
        )
        self.check_chat(got[-1].usage, used)

    async def test_injected(self) -> None:
        """A stream whose usage the program does not ask for: it gets none, and the proxy knows it."""
        for api, known in (("openai", False), ("injected", True)):
            create: Any = self.openai(api).chat.completions.create
            got, used = await self.counted(lambda: list(create(model="gpt", messages=ASK, stream=True)))
            self.assertEqual("".join(each.choices[0].delta.content for each in got), "Hi", api)
            self.assertEqual([each and each.is_known for each in used], [known], api)
        with_helper: Any = self.openai("injected").chat.completions.stream

        def helper() -> Any:
            with with_helper(model="gpt", messages=ASK) as stream:
                return stream.get_final_completion()

        got, used = await self.counted(helper)
        self.assertEqual((got.choices[0].message.content, got.usage), ("Hi", None))
        self.check(used, output_tokens=12)

    async def test_responses(self) -> None:
        """Responses, in one piece, streamed, and of the background: asked for until they are there, counted once."""
        client: Any = self.openai()
        got, used = await self.counted(lambda: client.responses.create(model="gpt", input="Hello"))
        self.check_response(got.usage, used)
        got, used = await self.counted(lambda: list(client.responses.create(model="gpt", input="Hello", stream=True)))
        self.check_response(got[-1].response.usage, used)

        def poll() -> Any:
            client.responses.create(model="gpt", input="Hello", background=True)
            return [client.responses.retrieve("resp_1") for _ in range(5)]

        got, used = await self.counted(poll, 6)
        self.assertEqual([each.status for each in got], ["in_progress"] * 2 + ["completed"] * 3)
        self.assertEqual([each and each.is_known for each in used], [False, None, None, True, None, None])
        self.check_response(got[-1].usage, used[3:4])

    async def test_ledger(self) -> None:
        """What the ledger has of all of them, within a second or two, is the sum of what the programs were told."""
        client, claude, models = self.openai(), self.anthropic(), self.gemini().models
        create: Any = client.chat.completions.create
        respond: Any = client.responses

        def ask() -> tuple[list[int], list[int]]:
            chats = [create(model="gpt", messages=ASK).usage for _ in range(3)]
            streamed: Any = list(create(model="gpt", messages=ASK, stream=True, stream_options={"include_usage": True}))
            chats.append(streamed[-1].usage)
            respond.create(model="gpt", input="Hello", background=True)
            fetched = [respond.retrieve("resp_1") for _ in range(5)][-1].usage
            said: Any = claude.messages.create(model="claude", max_tokens=9, messages=ASK).usage
            gem: Any = models.generate_content(model="gem", contents="Hello").usage_metadata
            put_in = [each.prompt_tokens for each in chats] + [fetched.input_tokens]
            put_in += [said.input_tokens + said.cache_creation_input_tokens + said.cache_read_input_tokens]
            put_in += [gem.prompt_token_count + gem.tool_use_prompt_token_count]
            out = [each.completion_tokens for each in chats] + [fetched.output_tokens, said.output_tokens]
            return put_in, [*out, gem.candidates_token_count + gem.thoughts_token_count]

        put_in, out = await deferToThread(ask)
        rows: list[Any] = []
        for _ in range(100):
            rows = await self.service.proxy.database.read(self.rows)
            if len(rows) == 12:
                break
            await deferLater(reactor, 0.05)
        known = [row for row in rows if row.output_tokens is not None]
        self.assertEqual(sum(row.input_tokens for row in known), sum(put_in))
        self.assertEqual(sum(row.output_tokens for row in known), sum(out))
        # What was asked for in the background was not known when it was.
        self.assertEqual((len(rows), sum(row.unknown for row in rows)), (12, 1))
        raw = next(json.loads(row.raw) for row in known if row.served_model == "claude-x")
        self.assertEqual(raw, CLAUDE)

    @staticmethod
    def rows(connection: Any) -> list[Any]:
        """What the ledger has settled."""
        columns = usage_records.c
        names = ("input_tokens", "output_tokens", "unknown", "served_model", "raw")
        return list(connection.execute(select(*(columns[name] for name in names))))

    async def test_others(self) -> None:
        """Embeddings, pictures, and what was heard."""
        client: Any = self.openai()
        got, used = await self.counted(lambda: client.embeddings.create(model="emb", input="Hello"))
        self.check(used, input_tokens=got.usage.prompt_tokens, output_tokens=0, served_model="emb-x")
        got, used = await self.counted(lambda: client.images.generate(model="gpt-image", prompt="a"))
        self.check(
            used, input_tokens=got.usage.input_tokens, output_tokens=got.usage.output_tokens, images=len(got.data)
        )
        heard = ("a.wav", io.BytesIO(b"RIFF"))
        got, used = await self.counted(lambda: client.audio.transcriptions.create(model="gpt-t", file=heard))
        self.check(
            used,
            input_tokens=got.usage.input_tokens,
            output_tokens=got.usage.output_tokens,
            audio_input_tokens=got.usage.input_token_details.audio_tokens,
        )

    async def test_messages(self) -> None:
        """Messages, in one piece and streamed; to count tokens is no use."""
        client: Any = self.anthropic()
        call = {"model": "claude", "max_tokens": 9, "messages": ASK}

        def stream() -> Any:
            with client.messages.stream(**call) as events:
                return events.get_final_message()

        for calling in (lambda: client.messages.create(**call), stream):
            got, used = await self.counted(calling)
            said = got.usage
            self.check(
                used,
                input_tokens=said.input_tokens + said.cache_creation_input_tokens + said.cache_read_input_tokens,
                cached_input_tokens=said.cache_read_input_tokens,
                cache_write_tokens=said.cache_creation_input_tokens,
                output_tokens=said.output_tokens,
                reasoning_tokens=said.output_tokens_details.thinking_tokens,
                served_model="claude-x",
            )
            raw = used[0] and used[0].raw
            assert raw is not None, calling
            self.assertEqual(raw["cache_creation"], said.cache_creation.model_dump(), calling)
            self.assertEqual(raw["server_tool_use"], said.server_tool_use.model_dump(), calling)
        got, used = await self.counted(lambda: client.messages.count_tokens(model="claude", messages=ASK))
        self.assertEqual((got.input_tokens, used), (14, [None]))

    async def test_gemini(self) -> None:
        """Contents, in one piece and streamed."""
        models: Any = self.gemini().models

        def stream() -> Any:
            return list(models.generate_content_stream(model="gem", contents="Hello"))[-1]

        for calling in (lambda: models.generate_content(model="gem", contents="Hello"), stream):
            got, used = await self.counted(calling)
            said = got.usage_metadata
            self.check(
                used,
                input_tokens=said.prompt_token_count + said.tool_use_prompt_token_count,
                cached_input_tokens=said.cached_content_token_count,
                output_tokens=said.candidates_token_count + said.thoughts_token_count,
                reasoning_tokens=said.thoughts_token_count,
                audio_input_tokens=2,
                served_model="gem-x",
            )
            assert used[0] is not None, calling
            total = (used[0].input_tokens or 0) + (used[0].output_tokens or 0)
            self.assertEqual(total, said.total_token_count, calling)
