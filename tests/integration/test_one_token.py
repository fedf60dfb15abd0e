"""One project with a key for each provider: one token, and the real SDKs of OpenAI, Anthropic and Google."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import anthropic
import openai
from google import genai
from google.genai.errors import ClientError
from google.genai.types import HttpOptions
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import Site

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.core.tokens import hint, token_hash
from llmproxy.demo import DemoUpstream
from llmproxy.message import Project, Token
from llmproxy.providers.registry import AUTH
from llmproxy.service import ProxyService

from .harness import ProxyTestCase

KEYS = {"openai": "sk-proj-canary-openai", "anthropic": "sk-ant-canary-anthropic", "gemini": "AIza-canary-gemini"}
TOKEN = "sk-OneTokenForAllOfThem_-"
ASK: Any = [{"role": "user", "content": "Hello there friend"}]
CONTENT = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello from Gemini"}]}, "finishReason": "STOP"}]
}


class Gemini(Resource):
    """What Google's SDK asks, answered to who has the key in Google's field."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        if request.getHeader(b"x-goog-api-key") != KEYS["gemini"].encode():
            request.setResponseCode(400)
            return b'{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}'
        streamed = request.path.endswith(b":streamGenerateContent")
        request.setHeader(b"content-type", b"text/event-stream" if streamed else b"application/json")
        said = json.dumps({"models": [{"name": "models/demo"}]} if request.method == b"GET" else CONTENT)
        return f"data: {said}\r\n\r\n".encode() if streamed else said.encode()


class Seen(Site):
    """@ivar heads: whatever came to this provider, as text."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource, reactor=reactor)
        self.heads: list[str] = []

    def getResourceFor(self, request: Any) -> Any:
        self.heads.append(unquote(repr((request.uri, list(request.requestHeaders.getAllRawHeaders())))))
        return super().getResourceFor(request)


class OneTokenTests(ProxyTestCase):
    async def start_proxy(self, base_url: str) -> ProxyService:
        self.seen = {
            "openai": Seen(DemoUpstream(reactor, KEYS["openai"], 0.001)),
            "anthropic": Seen(DemoUpstream(reactor, KEYS["anthropic"], 0.001)),
            "gemini": Seen(Gemini()),
            "local": Seen(DemoUpstream(reactor, "", 0.001)),
        }
        self.at: dict[str, str] = {}
        for name, site in self.seen.items():
            port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(site)
            self.addCleanup(port.stopListening)
            self.at[name] = f"http://127.0.0.1:{port.getHost().port}"
        return await super().start_proxy(base_url)

    def config(self, base_url: str) -> APIConfig:
        auth = {"anthropic": "x-api-key", "gemini": "x-goog-api-key", "local": "none"}
        apis = {
            name: APIProviderConfig(
                base_url=at,
                allowed_endpoints=["/v1", "/v1beta"],
                allowed_methods=["GET", "POST"],
                auth=AUTH[auth.get(name, "bearer")],
                dialect=name if name in KEYS else "openai",  # type: ignore[arg-type]
            )
            for name, at in self.at.items()
        }
        return APIConfig(apis, "openai")

    async def new_token(self, **changes: Any) -> str:
        database = self.service.proxy.database
        await database.projects.create(Project("p", "all", {name: (key,) for name, key in KEYS.items()}))
        await database.tokens.create(Token("t", token_hash(TOKEN.encode()), hint(TOKEN), "p", None, max_requests=100))
        return TOKEN

    def openai(self, path: str = "", **more: Any) -> openai.OpenAI:
        url = f"http://127.0.0.1:{self.port}{path}/v1"
        client = openai.OpenAI(base_url=url, api_key=TOKEN, max_retries=0, timeout=10, **more)
        self.addCleanup(client.close)
        return client

    def anthropic(self, **more: Any) -> anthropic.Anthropic:
        url = f"http://127.0.0.1:{self.port}/anthropic"
        client = anthropic.Anthropic(base_url=url, api_key=TOKEN, max_retries=0, timeout=10, **more)
        self.addCleanup(client.close)
        return client

    def gemini(self) -> genai.Client:
        options = HttpOptions(base_url=f"http://127.0.0.1:{self.port}/gemini", timeout=10_000)
        client = genai.Client(api_key=TOKEN, http_options=options)
        self.addCleanup(client.close)
        return client

    def ask_openai(self) -> Any:
        return self.openai().chat.completions.create(model="demo", messages=ASK).choices[0].message.content

    def ask_anthropic(self, **more: Any) -> Any:
        answer = self.anthropic(**more).messages.create(model="demo", max_tokens=9, messages=ASK)
        return answer.content[0].text  # type: ignore[union-attr]

    def ask_gemini(self) -> Any:
        return self.gemini().models.generate_content(model="demo", contents="Hello").text

    def only_their_own(self) -> None:
        """No provider has seen a key of another one, or the token."""
        for name, site in self.seen.items():
            for other, key in KEYS.items():
                found = any(key in head for head in site.heads)
                self.assertEqual(found, name == other and bool(site.heads), (name, other))
            self.assertFalse(any(TOKEN in head for head in site.heads), name)

    async def test_three_providers(self) -> None:
        """Each SDK gets its answer, plain and streamed, with the same token; each provider sees its own key only."""
        self.assertEqual(await deferToThread(self.ask_openai), "You said: Hello there friend")
        self.assertEqual(await deferToThread(self.ask_anthropic), "You said: Hello there friend")
        self.assertEqual(await deferToThread(self.ask_gemini), "Hello from Gemini")

        def stream() -> list[str]:
            chunks = self.openai().chat.completions.create(model="demo", messages=ASK, stream=True)
            one = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            with self.anthropic().messages.stream(model="demo", max_tokens=9, messages=ASK) as events:
                two = "".join(events.text_stream)
            parts = self.gemini().models.generate_content_stream(model="demo", contents="Hello")
            return [one, two, "".join(part.text or "" for part in parts)]

        said = "You said: Hello there friend"
        self.assertEqual(await deferToThread(stream), [said, said, "Hello from Gemini"])
        self.assertEqual(len((await deferToThread(self.openai("/local").models.list)).data) > 0, True)
        self.assertEqual(len(self.seen["local"].heads), 1)
        self.only_their_own()

    async def test_beside_a_login(self) -> None:
        """A program that sends a login of its own beside the token is known by the token; the login goes nowhere."""
        foreign = "sk-ant-oat01-canary-login-" + "x" * 80
        both = {"Authorization": f"Bearer {foreign}", "X-Api-Key": TOKEN}
        answer = await deferToThread(self.ask_anthropic, default_headers=both)
        self.assertEqual(answer, "You said: Hello there friend")
        entra = self.openai(default_headers={"api-key": TOKEN, "Authorization": "Bearer eyJ-canary-entra"})
        await deferToThread(entra.models.list)
        self.assertEqual([len(site.heads) for site in self.seen.values()], [1, 1, 0, 0])
        for site in self.seen.values():
            self.assertNotIn("canary-login", repr(site.heads))
            self.assertNotIn("canary-entra", repr(site.heads))
        self.only_their_own()

    async def test_key_missing(self) -> None:
        """Without a key for it an API is refused in the words of its SDK; nothing is sent, and nothing is spent."""
        proxy = self.service.proxy
        none = dict.fromkeys(KEYS)
        changed = await proxy.database.projects.update("p", api_keys=none)
        assert changed is not None
        proxy.stored.directory.project_changed(changed)
        for ask, kind, name in (
            (self.ask_openai, openai.PermissionDeniedError, "openai"),
            (self.ask_anthropic, anthropic.PermissionDeniedError, "anthropic"),
            (self.ask_gemini, ClientError, "gemini"),
        ):
            try:
                await deferToThread(ask)
            except kind as error:
                self.assertEqual(getattr(error, "status_code", None) or error.code, 403, (ask, kind, name))  # type: ignore[attr-defined]
                self.assertIn("api_key_missing", str(error))
                self.assertIn(f"set-key PROJECT {name}", str(error))
            else:
                self.fail("nothing was raised")
        await proxy.stored.quota.flush()
        token = await proxy.database.tokens.get("t")
        self.assertEqual((token and token.request_count, [site.heads for site in self.seen.values()]), (0, [[]] * 4))
        self.assertEqual({record.error_code for record in self.records}, {"api_key_missing"})
        await deferToThread(self.openai("/local").models.list)
        self.assertEqual(len(self.seen["local"].heads), 1)
