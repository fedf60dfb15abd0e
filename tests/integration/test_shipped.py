"""What the current SDKs call, through the proxy with the shipped configuration, to an upstream that takes it all."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anthropic
import openai
from attrs import evolve
from twisted.internet.threads import deferToThread

from llmproxy.config import APIConfig, load_api_config

from .harness import ProxyTestCase
from .sdkupstream import SdkUpstream

try:
    from google import genai
except ImportError:
    genai = None  # type: ignore[assignment]

SHIPPED = str(Path(__file__).parents[2] / "config" / "apis.yaml")
ASK: Any = [{"role": "user", "content": "Hello"}]
BATCH = b'{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini","messages":[]}}\n'

NOT_SHIPPED = {
    "openai": {
        # the account's administration, and what its owner keeps
        "organization", "projects", "webhook_endpoints", "webhook_event_types", "safety", "vaults",
        # platforms for agents: what one project makes another one could use, since they share the provider's account
        "agents", "chatkit",
        # cannot be checked for its model
        "uploads",
    },
    "anthropic": {
        "organizations", "compliance", "vaults", "tunnels", "user_profiles",
        "agents", "deployments", "deployment_runs", "dreams", "environments", "memory_stores", "sessions",
    },
}  # fmt: skip
"""By SDK the first segments of paths that the shipped configuration leaves for an operator to allow."""


class ShippedTestCase(ProxyTestCase):
    timeout = 120

    def make_upstream(self) -> SdkUpstream:
        return SdkUpstream()

    def config(self, base_url: str) -> APIConfig:
        config = load_api_config(SHIPPED)
        apis = {name: evolve(api, base_url=base_url + f"/at-{name}") for name, api in config.apis.items()}
        return evolve(config, apis=apis)

    def at(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def passes(self, prefix: str, calls: dict[str, Callable[[], Any]]) -> None:
        """Each call reaches upstream whole, where the SDK sent it."""
        for name, call in calls.items():
            before = len(self.upstream.asked)
            fault = await deferToThread(_quietly, call)
            asked = self.upstream.asked[before:]
            self.assertTrue(asked and all(each.complete for each in asked), f"{name} did not reach upstream: {fault}")
            self.assertTrue(all(each.path.startswith(prefix) for each in asked), (name, asked))
            self.assertEqual([record.status for record in self.records[-len(asked) :]], [200] * len(asked), name)

    async def refused(self, kind: type[Exception], calls: dict[str, Callable[[], Any]]) -> None:
        """None of the calls reaches upstream whole, and the SDK raises what it knows."""
        for name, call in calls.items():
            error = await deferToThread(_raised, call)
            self.assertIsInstance(error, kind, (name, error))
            self.assertIn("is not allowed", str(error), name)
        self.assertEqual([each.path for each in self.upstream.asked if each.complete], [])


def _quietly(call: Callable[[], Any]) -> Exception | None:
    """The answer of the upstream is none that an SDK could always read; that it came is what counts."""
    try:
        found = call()
        if isinstance(found, Iterator):
            next(found, None)
    except (openai.APIStatusError, anthropic.APIStatusError):
        raise
    except Exception as error:
        return error
    return None


def _raised(call: Callable[[], Any]) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None


class OpenAITests(ShippedTestCase):
    def client(self) -> openai.OpenAI:
        client = openai.OpenAI(base_url=self.at("/v1"), api_key=self.secret, max_retries=0, timeout=20)
        self.addCleanup(client.close)
        return client

    async def test_calls(self) -> None:
        """Chat, audio, pictures, embeddings, files, batches, fine-tuned models: with the models that are in use."""
        c: Any = self.client()
        audio = ("a.mp3", b"\xff\xfb" + b"\0" * 100_000)
        picture = ("a.png", b"\x89PNG" + b"\0" * 1000)
        models = (
            "gpt-4o",
            "gpt-5.1",
            "chatgpt-4o-latest",
            "o3-mini",
            "o4-mini",
            "ft:gpt-4o-mini:acme::7pXy",
            "codex-mini",
        )
        calls: dict[str, Callable[[], Any]] = {
            **{f"chat {m}": lambda m=m: c.chat.completions.create(model=m, messages=ASK) for m in models},
            "completions": lambda: c.completions.create(model="davinci-002", prompt="x"),
            "responses": lambda: c.responses.create(model="gpt-5", input="x"),
            "responses tool": lambda: c.responses.create(
                model="gpt-5", input="x", tools=[{"type": "image_generation", "model": "gpt-image-1"}]
            ),
            "embeddings": lambda: c.embeddings.create(model="text-embedding-ada-002", input="x"),
            "embeddings 3": lambda: c.embeddings.create(model="text-embedding-3-large", input="x"),
            "speech": lambda: c.audio.speech.create(model="tts-1", voice="alloy", input="x"),
            "speech hd": lambda: c.audio.speech.create(model="tts-1-hd", voice="alloy", input="x"),
            "whisper": lambda: c.audio.transcriptions.create(model="whisper-1", file=audio),
            "transcribe": lambda: c.audio.transcriptions.create(model="gpt-4o-transcribe", file=audio),
            "picture": lambda: c.images.generate(model="gpt-image-1", prompt="x"),
            "edit": lambda: c.images.edit(model="gpt-image-1", prompt="x", image=picture),
            "moderations": lambda: c.moderations.create(model="omni-moderation-latest", input="x"),
            "video": lambda: c.videos.create(model="sora-2", prompt="x"),
            "models": lambda: c.models.list(),
            "model": lambda: c.models.retrieve("gpt-4o"),
            "fine-tuned": lambda: c.models.retrieve("ft:gpt-4o-mini:acme::7pXy"),
            "file": lambda: c.files.create(file=("a.pdf", b"%PDF" + b"\0" * 3_000_000), purpose="user_data"),
            "batch file": lambda: c.files.create(file=("b.jsonl", BATCH * 20_000), purpose="batch"),
            "file content": lambda: c.files.content("file-1"),
            "file delete": lambda: c.files.delete("file-1"),
            "batch": lambda: c.batches.create(
                input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h"
            ),
            "batch cancel": lambda: c.batches.cancel("b-1"),
            "secret": lambda: c.realtime.client_secrets.create(session={"type": "realtime", "model": "gpt-realtime"}),
            "vectors": lambda: c.vector_stores.create(name="x"),
            "conversation": lambda: c.conversations.create(),
            "tuning": lambda: c.fine_tuning.jobs.create(model="gpt-4o-mini", training_file="file-1"),
        }
        await self.passes("/at-openai/v1/", calls)

    async def test_refused(self) -> None:
        """Another model is refused wherever it stands, the upload of a batch file in the middle of it."""
        c: Any = self.client()
        evil = BATCH * 5000 + BATCH.replace(b"gpt-4o-mini", b"evil") + BATCH * 50_000
        session = {"type": "realtime", "model": "evil"}
        await self.refused(
            openai.BadRequestError,
            {
                "chat": lambda: c.chat.completions.create(model="evil", messages=ASK),
                "model": lambda: c.models.retrieve("evil"),
                "audio": lambda: c.audio.transcriptions.create(model="evil", file=("a.mp3", b"\0" * 1_000_000)),
                "secret": lambda: c.realtime.client_secrets.create(session=session),
                "tool": lambda: c.responses.create(
                    model="gpt-5", input="x", tools=[{"type": "image_generation", "model": "evil"}]
                ),
                "batch file": lambda: c.files.create(file=io.BytesIO(evil), purpose="batch"),
            },
        )
        error = await deferToThread(
            _raised, lambda: c.uploads.create(bytes=1, filename="x", mime_type="x", purpose="batch")
        )
        self.assertIsInstance(error, (openai.NotFoundError, openai.PermissionDeniedError))

    async def test_realtime(self) -> None:
        """A WebSocket of the SDK passes; a message that changes the model ends it with an event and a close."""
        c: Any = self.client()

        def talk() -> tuple[str, str]:
            with c.realtime.connect(model="gpt-realtime") as connection:
                connection.session.update(session={"type": "realtime", "instructions": "x"})
                first = connection.recv().type
                connection.send({"type": "session.update", "session": {"model": "evil"}})
                error = connection.recv()
                return first, error.error.code

        self.assertEqual(await deferToThread(talk), ("session.created", "param_not_allowed"))
        self.assertEqual(len(self.upstream.said), 1)
        self.assertNotIn(b"sec-websocket-extensions", self.upstream.asked[0].headers)
        self.assertEqual(self.upstream.asked[0].path, "/at-openai/v1/realtime?model=gpt-realtime")

    if find_spec("websockets") is None:
        test_realtime.skip = "websockets is not installed (extra test)"  # type: ignore[attr-defined]


class AnthropicTests(ShippedTestCase):
    async def test_calls(self) -> None:
        """Messages, their count and batches, files and models."""
        c: Any = anthropic.Anthropic(base_url=self.at("/anthropic"), api_key=self.secret, max_retries=0, timeout=20)
        self.addCleanup(c.close)
        params = {"model": "claude-sonnet-4-5", "max_tokens": 5, "messages": ASK}
        await self.passes(
            "/at-anthropic/v1/",
            {
                "message": lambda: c.messages.create(**params),
                "count": lambda: c.messages.count_tokens(model="claude-sonnet-4-5", messages=ASK),
                "batch": lambda: c.messages.batches.create(requests=[{"custom_id": "1", "params": params}]),
                "batch get": lambda: c.messages.batches.retrieve("b-1"),
                "batch cancel": lambda: c.messages.batches.cancel("b-1"),
                "batch delete": lambda: c.messages.batches.delete("b-1"),
                "models": lambda: c.models.list(),
                "file": lambda: c.beta.files.upload(file=("a.pdf", b"%PDF" + b"\0" * 3_000_000, "application/pdf")),
                "files": lambda: c.beta.files.list(),
                "file delete": lambda: c.beta.files.delete("file-1"),
                "skills": lambda: c.beta.skills.list(),
            },
        )


class GeminiTests(ShippedTestCase):
    skip = None if genai is not None else "google-genai is not installed (extra test)"

    async def test_calls(self) -> None:
        """Models by all their methods, files, caches and batches."""
        options: Any = {"base_url": self.at("/gemini"), "timeout": 20_000}
        c: Any = genai.Client(api_key=self.secret, http_options=options)
        self.addCleanup(c.close)
        model = "gemini-2.5-flash"
        inline = [{"contents": [{"parts": [{"text": "x"}], "role": "user"}]}]
        await self.passes(
            "/at-gemini/",
            {
                "generate": lambda: c.models.generate_content(model=model, contents="x"),
                "stream": lambda: next(c.models.generate_content_stream(model=model, contents="x")),
                "embed": lambda: c.models.embed_content(model="gemini-embedding-001", contents="x"),
                "count": lambda: c.models.count_tokens(model=model, contents="x"),
                "models": lambda: c.models.list(),
                "model": lambda: c.models.get(model=model),
                "cache": lambda: c.caches.create(model=model, config={"contents": inline[0]["contents"]}),
                "cache update": lambda: c.caches.update(name="cachedContents/x", config={"ttl": "60s"}),
                "cache delete": lambda: c.caches.delete(name="cachedContents/x"),
                "batch": lambda: c.batches.create(model=model, src=inline),
                "batch get": lambda: c.batches.get(name="batches/x"),
                "files": lambda: c.files.list(),
                "file": lambda: c.files.get(name="files/x"),
                "file delete": lambda: c.files.delete(name="files/x"),
                "interaction": lambda: c.interactions.create(model=model, input="x"),
                "stores": lambda: c.file_search_stores.list(),
                "upload": lambda: c.files.upload(file=io.BytesIO(b"x" * 1000), config={"mime_type": "text/plain"}),
            },
        )

    async def test_live(self) -> None:
        """The Live API, which the SDK asks for over TLS alone: a WebSocket where its source says."""
        policy = next(api.policy for api in load_api_config(SHIPPED).compiled() if api.name == "gemini")
        source = (Path(genai.__file__).parent / "live.py").read_text()
        found = re.findall(r"f'{base_url}(/ws/google\.ai\.[^']*)'", source)
        self.assertTrue(found)
        for template in found:
            for version in ("v1", "v1beta", "v1alpha"):
                path = template.replace("{version}", version).replace("{method}", "BidiGenerateContent")
                self.assertIsNotNone(policy.endpoint(path.encode()), path)


class EveryPathTests(ShippedTestCase):
    async def test_paths(self) -> None:
        """Each path in the source of the SDKs is allowed, or left out on purpose."""
        policies = {api.name: api.policy for api in load_api_config(SHIPPED).compiled()}
        call = re.compile(r'self\._(get|post|put|patch|delete|get_api_list)\(\s*(?:path_template\(\s*)?f?"(/[^"]*)"')
        for package, prefix in ((openai, "/v1"), (anthropic, "")):
            name = package.__name__
            found: set[tuple[str, str]] = set()
            for source in (Path(package.__file__).parent / "resources").rglob("*.py"):
                found.update(call.findall(source.read_text()))
            self.assertGreater(len(found), 40, package)
            missing = set()
            for method, template in found:
                path = prefix + re.sub(r"\{[^}]*\}", "x", template.partition("?")[0])
                first = path.split("/")[2]
                allowed = policies[name].endpoint(path.encode()) is not None and policies[name].allows_method(
                    method.removesuffix("_api_list").upper().encode()
                )
                if allowed == (first in NOT_SHIPPED[name]):
                    missing.add((method, path))
            self.assertEqual(missing, set(), name)
