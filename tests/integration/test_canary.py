"""A secret at every place of a request, and every output of the proxy: it stands in none of them."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import eventAsText, globalLogPublisher

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.capture import CaptureConfig
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.service import ProxyService, Settings, make_service
from llmproxy.sinks.accesslog import text_line

from .harness import MANAGEMENT_TOKEN, ProxyTestCase

METRICS_TOKEN = "metrics-token-canary-0123456789"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

PLACES: dict[str, bytes] = {
    "path": b"GET /v1/chat/CANARY HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    "path of nothing": b"GET /nowhere/CANARY/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    "path without a token": b"GET /v1/chat/CANARY HTTP/1.1\r\nHost: x\r\n\r\n",
    "name of an API": b"GET /CANARY/v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    "name of an API without a token": b"GET /CANARY/v1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "absolute form": b"GET http://x/v1/chat/CANARY HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    "query": b"GET /v1/chat?a=CANARY&key=CANARY HTTP/1.1\r\nHost: x\r\n\r\n",
    "method": b"CANARY /v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    "version": b"GET /v1/chat CANARY\r\nHost: x\r\n\r\n",
    "host": b"GET /v1/chat HTTP/1.1\r\nHost: CANARY\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    "token": b"GET /v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer CANARY\r\n\r\n",
    "scheme": b"GET /v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: CANARY\r\n\r\n",
    "basic": b"GET /v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Basic CANARY\r\n\r\n",
    "two tokens": b"GET /v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\nX-Api-Key: CANARY\r\n\r\n",
    "name of a field": b"GET /v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\nCANARY: 1\r\n\r\n",
    "malformed field": b"GET /v1/chat HTTP/1.1\r\nHost: x\r\nCANARY\r\n\r\n",
    "length": b"POST /v1/chat HTTP/1.1\r\nHost: x\r\nContent-Length: CANARY\r\n\r\n",
    "coding": b"POST /v1/chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CANARY\r\n\r\n",
    "expectation": b"POST /v1/chat HTTP/1.1\r\nHost: x\r\nExpect: CANARY\r\nContent-Length: 1\r\n\r\n1",
    "management path": b"GET /manage/tokens/CANARY HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer MANAGE\r\n\r\n",
    "management path without a token": b"GET /manage/projects/CANARY HTTP/1.1\r\nHost: x\r\n\r\n",
    "management token": b"GET /manage/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer CANARY\r\n\r\n",
    "management query": b"GET /manage/tokens?CANARY=CANARY HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer MANAGE\r\n\r\n",
    "operations": b"GET /health/CANARY HTTP/1.1\r\nHost: x\r\n\r\n",
    "metrics": b"GET /metrics/CANARY HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer CANARY\r\n\r\n",
}
for _name in (
    *("User-Agent", "X-Request-ID", "X-Correlation-ID", "Referer", "Cookie", "Accept", "Content-Type", "Origin"),
    *("X-Forwarded-For", "Forwarded", "X-Forwarded-User-Agent", "X-Team", "Range", "If-None-Match", "Via", "TE"),
    *("Sec-WebSocket-Protocol", "X-HTTP-Method-Override", "OpenAI-Organization", "Accept-Encoding", "Cache-Control"),
):
    PLACES[_name] = (
        f"GET /v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n{_name}: CANARY\r\n\r\n".encode()
    )
    PLACES[_name + " of management"] = (
        f"GET /manage/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer MANAGE\r\n{_name}: CANARY\r\n\r\n".encode()
    )

BODIES: dict[str, tuple[bytes, bytes, bytes]] = {
    "model": (b"/v1/chat", b"application/json", b'{"model": "CANARY"}'),
    "parameter": (b"/v1/chat", b"application/json", b'{"CANARY": 1, "model": "CANARY"}'),
    "broken": (b"/v1/chat", b"application/json", b'{"model": CANARY'),
    "form": (b"/v1/chat", b"application/x-www-form-urlencoded", b"model=CANARY&CANARY=1"),
    "part": (
        b"/v1/chat",
        b"multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nCANARY\r\n--b--\r\n',
    ),
    "head of a part": (b"/v1/chat", b"multipart/form-data; boundary=b", b"--b\r\nCANARY: x\r\n\r\n1\r\n--b--\r\n"),
    "boundary": (b"/v1/chat", b"multipart/form-data; boundary=CANARY", b"--x\r\n\r\n"),
    "management member": (b"/manage/projects", b"application/json", b'{"CANARY": 1}'),
    "management value": (b"/manage/tokens", b"application/json", b'{"project_id": "CANARY", "duration_minutes": 5}'),
    "management broken": (b"/manage/projects", b"application/json", b'{"name": CANARY'),
    "management number": (b"/manage/tokens", b"application/json", b'{"project_id": "x", "duration_minutes": "CANARY"}'),
    "management purge": (b"/manage/cache/purge", b"application/json", b'{"url": "/v1/CANARY", "api": "CANARY"}'),
}


def _said(canary: bytes) -> Iterator[bytes]:
    """Answers of upstream that say it: in JSON, in fields, in a text, in pieces of a stream, and coded."""
    text = canary.decode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nX-Answer: %b\r\n"
    document = json.dumps(
        {text: text, "a": [f"say {text}!", {"b": f"x={text}"}], "url": f"http://u:{text}@h/?key={text}"}
    )
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    chunks = [{"choices": [{"index": 0, "delta": {"content": each}}]} for each in ("Take ", *pieces, " now")]
    stream = b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in chunks)
    unknown = b"".join(b"data: %b\n\n" % json.dumps({"piece": each}).encode() for each in pieces)
    for kind, body, fields in (
        (b"application/json", document.encode(), b""),
        (b"text/plain", b"the key is " + canary, b""),
        (b"text/html", b"<a href='/?key=" + canary + b"'>", b""),
        (b"application/octet-stream", canary, b""),
        (b"text/event-stream", stream + b"data: [DONE]\n\n", b""),
        (b"text/event-stream", stream, b""),
        (b"text/event-stream", unknown, b""),
        (b"application/json", gzip.compress(document.encode()), b"Content-Encoding: gzip\r\n"),
        (b"application/json", document.encode()[:-40], b""),
    ):
        yield head % (kind, canary) + fields + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class CanaryTests(ProxyTestCase):
    timeout = 120
    answers_of_upstream: list[bytes] = []

    def api(self, base_url: str) -> APIProviderConfig:
        return APIProviderConfig(
            base_url=base_url,
            allowed_endpoints=["/v1/chat", "/v1/none"],
            allowed_methods=["GET", "POST"],
            param_whitelist={"model": ("gpt-4o",)},
            dialect="openai",
        )

    def config(self, base_url: str) -> APIConfig:
        self.events_file = os.path.abspath(self.mktemp())
        sink = SinkConfig("events", "file", flush_interval=0.05, settings={"path": self.events_file})
        # All that can be captured, of fields too.
        fields = ("x-team", "user-agent", "referer", "content-type", "x-answer", "accept", "range")
        api = evolve(self.api(base_url), capture=CaptureConfig(headers=fields, opt_out=True))
        return APIConfig({"api": api, "anthropic": api}, "api", trusted_proxies=("127.0.0.1",), sinks=(sink,))

    async def start_proxy(self, base_url: str) -> ProxyService:
        self.audit_file = os.path.abspath(self.mktemp())
        service = make_service(
            reactor,
            Settings(
                apis=self.config(base_url),
                management_token=MANAGEMENT_TOKEN,
                metrics_token=METRICS_TOKEN,
                encryption_key=bytes(range(32)),
                database_url=":memory:",
                listen=[self.listen()],
                access_log=self.access_log,
                drain_seconds=0.2,
                audit=AuditOptions(file=self.audit_file, sync="always"),
            ),
        )
        service.startService()
        await service.started
        self.port = service.ports[0].getHost().port  # type: ignore[attr-defined]
        return service

    async def answer(self, request: bytes) -> bytes:
        """What a client is answered; upstream says OK."""
        seen = len(self.upstream.wires)
        client = await self.send(request.replace(b"MANAGE", MANAGEMENT_TOKEN.encode()))
        for _ in range(2000):
            for wire in self.upstream.wires[seen:]:
                if b"\r\n\r\n" in wire.received:
                    wire.send(self.answers_of_upstream.pop(0) if self.answers_of_upstream else OK)
                    wire.close()
                    seen = len(self.upstream.wires)
            head, found, body = client.received.partition(b"\r\n\r\n")
            if client.closed is not None or (found and (b"ontent-Length: 0" in head or body)):
                break
            await deferLater(reactor, 0.002)
        client.close()
        return client.received

    async def everything(self, canary: bytes) -> dict[str, bytes]:
        """All that was written anywhere once each place held C{canary}, by where it was written."""
        logged: list[str] = []
        observer = lambda event: logged.append(eventAsText(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        for name, request in PLACES.items():
            answer = await self.answer(request.replace(b"CANARY", canary))
            self.assertTrue(answer.startswith(b"HTTP/1.1 "), (name, answer))
            self.answers[name] = answer
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Type: %b\r\n"
        head += b"Content-Length: %d\r\n\r\n%b"
        for name, (path, kind, body) in BODIES.items():
            body = body.replace(b"CANARY", canary)
            token = b"MANAGE" if path.startswith(b"/manage") else b"TOKEN"
            self.answers[name] = await self.answer(
                head % (path, token, kind.replace(b"CANARY", canary), len(body), body)
            )
        for number, said in enumerate(_said(canary)):
            self.answers_of_upstream = [said]
            await self.answer(
                b"POST /v1/none HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 0\r\n\r\n"
            )
            self.assertEqual(self.answers_of_upstream, [], number)
        written = b"Authorization: Bearer " + MANAGEMENT_TOKEN.encode()
        shown = await self.answer(b"GET /manage/audit?limit=1000 HTTP/1.1\r\nHost: x\r\n" + written + b"\r\n\r\n")
        scraped = b"Authorization: Bearer " + METRICS_TOKEN.encode()
        numbers = await self.answer(
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + scraped + b"\r\n\r\n"
        )
        await deferLater(reactor, 0.2)
        self.service.proxy.foundation.metering.publisher.flush()
        await deferLater(reactor, 0.3)
        with (
            open(self.access_log, "rb") as access,
            open(self.audit_file, "rb") as audit,
            open(self.events_file, "rb") as events,
        ):
            return {
                "events": events.read(),
                "access log": access.read(),
                "console": b"\n".join(text_line(record) for record in self.records),
                "records": repr(self.records).encode(),
                "audit log": audit.read(),
                "audit of the database": shown,
                "metrics": numbers,
                "server log": "\n".join(logged).encode(),
            }

    async def nothing_of(self, canary: bytes, *, answers: bool = True) -> None:
        self.answers: dict[str, bytes] = {}
        outputs = await self.everything(canary)
        for name, needle in (
            ("access log", b'"path":"/v1/chat'),
            ("audit log", b'"token.validate"'),
            ("events", b'"response_body"'),
            ("events", b'"request_body"'),
            ("events", b'"request_headers"'),
            ("metrics", b"llm_proxy"),
        ):
            self.assertIn(needle, outputs[name])
        secrets = {canary, canary.split(b"%")[0] if b"%" in canary else canary, METRICS_TOKEN.encode()}
        if answers:
            outputs |= {f"answer to {name}": answer for name, answer in self.answers.items()}
        found = [
            f"{where}: {line[:300]!r}"
            for where, output in outputs.items()
            for line in output.splitlines()
            if any(secret.lower() in line.lower() for secret in secrets if len(secret) > 8)
        ]
        self.assertEqual(found, [])
        self.flushLoggedErrors()

    async def test_token_of_ours(self) -> None:
        """The token itself, which is good."""
        await self.nothing_of(self.secret.encode())

    async def test_unknown_token(self) -> None:
        """What could be a token of another installation."""
        await self.nothing_of(b"sk-Wf0ppfE41yy3GctEDqEuaI")

    async def test_keys_of_providers(self) -> None:
        """A provider's key that a program sends here by mistake."""
        await self.nothing_of(b"AIzaSyCanaryCanaryCanaryCanary0123456789")

    async def test_admin(self) -> None:
        """The token of somebody who manages."""
        await self.nothing_of(b"llmproxy_admin_0123456789abcdefghijABCDEFGHIJ0123456789abc")

    async def test_management_token(self) -> None:
        """A secret of the process, whose shape nobody could know, is in no log; who sent it has it already."""
        await self.nothing_of(MANAGEMENT_TOKEN.encode(), answers=False)
