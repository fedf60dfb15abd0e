"""OpenTelemetry through a real proxy, to a collector that reads the published protobuf."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ..tables import row
from .certificates import Authority
from .otlpcollector import Collector
from .processes import LLMPROXY, MANAGEMENT_TOKEN, environment, free_port, start

KEYS = {"MANAGEMENT_TOKEN": MANAGEMENT_TOKEN, "ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
UPSTREAM_KEY = "sk-upstream-canary-0123456789"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
BODY = {"model": "gpt-5", "messages": [{"role": "user", "content": "prompt-canary"}]}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5-2026",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "answer-canary"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
EVENTS = [
    {"id": "chatcmpl-2", "model": "gpt-5-2026", "choices": [{"index": 0, "delta": {"content": "Hi"}}]},
    {"id": "chatcmpl-2", "model": "gpt-5-2026", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "chatcmpl-2", "model": "gpt-5-2026", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 3}},
]


class Upstream:
    """
    A provider in a thread.

    @ivar status: what it answers with.
    @ivar asked: the fields of each request.
    """

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked: list[dict[str, str]] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                upstream.asked.append({name.lower(): value for name, value in self.headers.items()})
                if json.loads(body).get("stream"):
                    self._stream()
                else:
                    self._whole()

            def do_GET(self) -> None:
                upstream.asked.append({name.lower(): value for name, value in self.headers.items()})
                self._whole("Cache-Control", "public, max-age=60")

            def _whole(self, *more: str) -> None:
                content = json.dumps(ANSWER if upstream.status == 200 else {"error": {"message": "no"}}).encode()
                self.send_response(upstream.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("x-request-id", "req-up-1")
                self.send_header("Content-Length", str(len(content)))
                if more:
                    self.send_header(*more)
                self.end_headers()
                self.wfile.write(content)

            def _stream(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for event in EVENTS:
                    time.sleep(0.05)
                    self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                self.wfile.write(b"data: [DONE]\n\n")

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class OtlpCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.collector = self.closed(Collector())
        self.upstream = self.closed(Upstream())

    def closed(self, server: Any) -> Any:
        self.addCleanup(server.close)
        return server

    def file(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def api(self) -> str:
        where = f"base_url: '{self.upstream.url}', allowed_endpoints: [/v1], allowed_methods: [GET, POST]"
        return f"{{{where}, dialect: openai}}"

    def sink(self, **more: Any) -> str:
        settings = {"flush_interval": "50ms", "metrics_interval": "1s", "endpoint": self.collector.url, **more}
        said = ", ".join(f"{name}: {json.dumps(value)}" for name, value in settings.items() if value is not None)
        return f"sinks: [{{name: tel, type: otlp, {said}}}]\n"

    def proxy(self, top: str = "", api: str = "", options: tuple[str, ...] = (), **env: str) -> None:
        """Start one, with a project and a token."""
        Path(self.file("apis.yaml")).write_text(f"{top}default_api: openai\napis:\n  openai: {api or self.api()}\n")
        self.port = free_port()
        where = ("--config", "apis.yaml", "--database", "sqlite:///d.db", "--access-log", "access.log")
        listen = ("--listen", f"tcp:{self.port}:interface=127.0.0.1")
        self.process = start((*LLMPROXY, "serve", *where, *listen, *options), self.directory, **(KEYS | env))
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        for _ in range(400):
            try:
                if self.get("/ready", "")[0] == 200:
                    break
            except OSError:
                pass
            assert self.process.poll() is None, Path(self.file("stderr")).read_text()
            time.sleep(0.05)
        project = self.manage("/manage/projects", {"name": "p", "api_key": UPSTREAM_KEY})
        self.token = self.manage("/manage/tokens", {"project_id": project["id"], "duration_minutes": 5})["token"]

    def manage(self, path: str, said: Any) -> Any:
        status, body = self.ask(path, said, MANAGEMENT_TOKEN)
        assert status in (200, 201), body
        return json.loads(body)

    def get(self, path: str, token: str | None = None, **fields: str) -> tuple[int, bytes]:
        return self.ask(path, None, token, **fields)

    def ask(self, path: str, said: Any = BODY, token: str | None = None, **fields: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self.token if token is None else token}", **fields}
        body = None
        if said is not None:
            body, headers["Content-Type"] = json.dumps(said).encode(), "application/json"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def chat(self, **fields: str) -> None:
        self.assertEqual(self.ask("/v1/chat/completions", **fields)[0], 200)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(30), 0)


class ExchangeTests(OtlpCase):
    def test_whole(self) -> None:
        """An exchange and its call, field by field, in the caller's trace, whose words go to upstream as they are."""
        self.proxy(
            self.sink(headers={"x-api-key": "${COLLECTOR_KEY}"}, compression="gzip"), COLLECTOR_KEY="collector-canary"
        )
        before = time.time_ns()
        self.chat(Traceparent=PARENT, Tracestate="congo=t61rcWkgMzE", **{"User-Agent": "test/1"})
        after = time.time_ns()
        server, call = self.collector.spans(2)
        self.assertEqual(self.upstream.asked[0]["traceparent"], PARENT)
        self.assertEqual(self.upstream.asked[0]["tracestate"], "congo=t61rcWkgMzE")
        path, fields = self.collector.requests[0]
        self.assertEqual(
            (path, fields["x-api-key"], fields["content-encoding"]), ("/v1/traces", "collector-canary", "gzip")
        )
        for span in (server, call):
            with row(span.name):
                self.assertEqual((span.trace_id, span.state, span.scope), (TRACE, "congo=t61rcWkgMzE", "llmproxy"))
                self.assertEqual((span.status, span.sampled), (0, True))
                self.assertEqual(span.resource["service.name"], "llmproxy")
        self.assertEqual((server.kind, server.parent_id, server.remote_parent), ("server", SPAN, True))
        self.assertEqual((call.kind, call.parent_id, call.remote_parent), ("client", server.span_id, False))
        self.assertTrue(before - 2_000_000 <= server.start <= call.start <= call.end <= server.end <= after + 2_000_000)
        self.assertEqual((server.name, call.name), ("POST /v1", "chat gpt-5"))
        said = dict(server.attributes)
        for name in ("llmproxy.request_id", "llmproxy.event_id", "llmproxy.project_id", "llmproxy.token_id"):
            self.assertTrue(said.pop(name), name)
        self.assertGreater(said.pop("llmproxy.first_byte"), 0)
        self.assertEqual(
            said,
            {
                "http.request.method": "POST",
                "http.route": "/v1",
                "http.response.status_code": 200,
                "http.request.body.size": len(json.dumps(BODY)),
                "http.response.body.size": len(json.dumps(ANSWER)),
                "url.path": "/v1/chat/completions",
                "url.scheme": "http",
                "network.protocol.name": "http",
                "network.protocol.version": "1.1",
                "client.address": "127.0.0.1",
                "user_agent.original": "test/1",
                "llmproxy.api": "openai",
                "llmproxy.upstream": "openai",
                "llmproxy.ended": "complete",
                "llmproxy.attempts": 1,
                "llmproxy.model": "gpt-5",
                "llmproxy.cache": "method",
                "llmproxy.program": "other",
            },
        )
        said = dict(call.attributes)
        self.assertGreater(said.pop("llmproxy.first_byte"), 0)
        self.assertEqual(
            said,
            {
                "http.request.method": "POST",
                "http.response.status_code": 200,
                "server.address": "127.0.0.1",
                "server.port": self.upstream.port,
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "openai",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-5",
                "gen_ai.response.model": "gpt-5-2026",
                "gen_ai.response.id": "chatcmpl-1",
                "gen_ai.usage.input_tokens": 10,
                "gen_ai.usage.output_tokens": 5,
                "gen_ai.usage.cache_read.input_tokens": 4,
                "llmproxy.api": "openai",
                "llmproxy.upstream": "openai",
                "llmproxy.upstream_request_id": "req-up-1",
            },
        )
        self.no_canaries()

    def no_canaries(self) -> None:
        everything = f"{self.collector.received}{[span.resource for span in self.collector.received.spans]}"
        for canary in (
            UPSTREAM_KEY,
            self.token,
            "prompt-canary",
            "answer-canary",
            MANAGEMENT_TOKEN,
            "collector-canary",
        ):
            self.assertNotIn(canary, everything)
        for name in ("access.log", "stdout", "stderr"):
            self.assertNotIn("collector-canary", Path(self.file(name)).read_text(), name)

    def test_metrics(self) -> None:
        """What was measured, with the buckets of the conventions, cumulative from the start of the process."""
        self.proxy(self.sink(semconv="legacy"))
        self.chat()
        self.chat()
        found = self.collector.wait(
            lambda received: (
                received.metrics.get("http.server.request.duration")
                and received.metrics["http.server.request.duration"][0].count == 2
            )
        ).metrics
        (server,) = found["http.server.request.duration"]
        self.assertEqual(
            server.attributes,
            {
                "http.request.method": "POST",
                "http.route": "/v1",
                "url.scheme": "http",
                "http.response.status_code": 200,
                "network.protocol.version": "1.1",
                "llmproxy.api": "openai",
            },
        )
        self.assertEqual(server.bounds, [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10])
        self.assertEqual((server.temporality, sum(server.counts)), (2, 2))
        common = {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-5",
            "gen_ai.response.model": "gpt-5-2026",
            "server.address": "127.0.0.1",
            "server.port": self.upstream.port,
        }
        usage = {point.attributes["gen_ai.token.type"]: point for point in found["gen_ai.client.token.usage"]}
        self.assertEqual(
            {kind: (point.total, point.count) for kind, point in usage.items()}, {"input": (20, 2), "output": (10, 2)}
        )
        self.assertEqual(usage["input"].attributes, {**common, "gen_ai.token.type": "input"})
        (operation,) = found["gen_ai.client.operation.duration"]
        self.assertEqual((operation.attributes, operation.count), (common, 2))
        self.assertNotIn("gen_ai.client.inference.duration", found)

    def test_stream(self) -> None:
        """A stream: how soon its first content came, and what it had used in the end."""
        self.proxy(self.sink(semconv="latest"))
        status, body = self.ask("/v1/chat/completions", {**BODY, "stream": True})
        self.assertEqual((status, body.count(b"data:")), (200, 4))
        server, call = self.collector.spans(2)
        self.assertEqual(call.attributes["gen_ai.usage.output_tokens"], 3)
        self.assertIs(call.attributes["gen_ai.request.stream"], True)
        self.assertEqual(call.attributes["gen_ai.response.id"], "chatcmpl-2")
        first = call.attributes["gen_ai.response.time_to_first_chunk"]
        self.assertGreaterEqual(first, 0.05)
        self.assertGreaterEqual(call.end - call.start, 150_000_000)
        self.assertLessEqual(call.end, server.end)
        found = self.collector.wait(lambda received: "gen_ai.server.time_per_output_token" in received.metrics).metrics
        (point,) = found["gen_ai.server.time_to_first_token"]
        self.assertAlmostEqual(point.total, first, places=5)
        self.assertEqual(found["gen_ai.client.inference.usage.output_tokens"][0].total, 3)

    def test_other_ends(self) -> None:
        """Refused, left, and from the cache: each has its span, and calls only where somebody was called."""
        self.proxy(self.sink(), self.api().replace("dialect", "cache: on, dialect"))
        self.assertEqual(self.ask("/v1/chat/completions", token="sk-" + "b" * 22, traceparent=PARENT)[0], 401)
        (server,) = self.collector.spans(1)
        said = server.attributes
        self.assertEqual((server.trace_id, server.status, said["http.response.status_code"]), (TRACE, 0, 401))
        self.assertEqual((said["llmproxy.ended"], said.get("error.type")), ("refused", None))
        self.leave()
        server, call = self.collector.spans(3)[1:]
        self.assertEqual((server.attributes["error.type"], server.status), ("client_left", 0))
        self.assertEqual((call.attributes["error.type"], call.status), ("cancelled", 2))
        for _ in range(2):
            self.assertEqual(self.get("/v1/models")[0], 200)
        spans = self.collector.spans(6)[3:]
        self.assertEqual([span.kind for span in spans], ["server", "client", "server"])
        self.assertEqual([span.attributes.get("llmproxy.cache") for span in spans[::2]], ["uri-miss", "hit"])
        self.assertEqual(spans[1].name, "GET")

    def test_prompts(self) -> None:
        """What was said is there where an API has it captured, merged and redacted, in the call that answered."""
        self.proxy(self.sink(), self.api().replace("dialect", "capture: {redact: [email]}, dialect"))
        said = [{"role": "user", "content": f"Mail ann@example.com and {UPSTREAM_KEY}"}]
        status, _ = self.ask("/v1/chat/completions", {**BODY, "messages": said, "stream": True, "temperature": 0.5})
        self.assertEqual(status, 200)
        server, call = self.collector.spans(2)
        put_in = json.loads(call.attributes["gen_ai.input.messages"])
        self.assertEqual([(each["role"], each["parts"][0]["type"]) for each in put_in], [("user", "text")])
        self.assertTrue(put_in[0]["parts"][0]["content"].startswith("Mail "), put_in)
        for canary in ("ann@example.com", UPSTREAM_KEY):
            self.assertNotIn(canary, str(self.collector.received))
        out = {"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "stop"}
        self.assertEqual(json.loads(call.attributes["gen_ai.output.messages"]), [out])
        self.assertEqual(call.attributes["gen_ai.request.temperature"], 0.5)
        self.assertEqual(call.attributes["gen_ai.response.finish_reasons"], ["stop"])
        self.assertNotIn("gen_ai.input.messages", server.attributes)

    def leave(self) -> None:
        """Go away within a stream."""
        body = json.dumps({**BODY, "stream": True}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: p\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(head.encode() + body)
            client.recv(100)


class FailoverTests(OtlpCase):
    def test_two_calls(self) -> None:
        """A failover: two calls, each with its own end, and each the parent that its upstream was given."""
        other = self.closed(Upstream())
        self.upstream.status = 503
        upstreams = (
            f"[{{name: west, base_url: '{self.upstream.url}'}}, {{name: east, base_url: '{other.url}', priority: 2}}]"
        )
        allowed = "allowed_endpoints: [/v1], allowed_methods: [POST]"
        api = f"{{upstreams: {upstreams}, retry: {{attempts: 2}}, {allowed}, dialect: openai}}"
        self.proxy("tracing: {traceparent: continue}\n" + self.sink(), api)
        self.chat(traceparent=PARENT)
        server, west, east = self.collector.spans(3)
        self.assertEqual([span.attributes["llmproxy.upstream"] for span in (west, east)], ["west", "east"])
        self.assertEqual((west.attributes["error.type"], west.status), ("503", 2))
        self.assertEqual((east.attributes.get("error.type"), east.status), (None, 0))
        self.assertEqual(east.attributes["http.request.resend_count"], 1)
        self.assertEqual([span.attributes["server.port"] for span in (west, east)], [self.upstream.port, other.port])
        self.assertEqual({span.parent_id for span in (west, east)}, {server.span_id})
        self.assertNotIn("gen_ai.usage.output_tokens", west.attributes)
        self.assertEqual(east.attributes["gen_ai.usage.output_tokens"], 5)
        for upstream, span in ((self.upstream, west), (other, east)):
            self.assertEqual(upstream.asked[0]["traceparent"], f"00-{TRACE}-{span.span_id}-01", span.name)

    def test_nobody_there(self) -> None:
        """An upstream that takes no connection: the call says why, and the exchange failed."""
        gone = free_port()
        api = self.api().replace(self.upstream.url, f"http://127.0.0.1:{gone}")
        self.proxy("tracing: {traceparent: add}\n" + self.sink(), api)
        self.assertEqual(self.ask("/v1/chat/completions")[0], 502)
        server, call = self.collector.spans(2)
        self.assertEqual(
            (server.status, server.attributes["error.type"], server.attributes["llmproxy.cause"]), (2, "502", "refused")
        )
        self.assertEqual((call.status, call.attributes["error.type"]), (2, "refused"))
        self.assertNotIn("http.response.status_code", call.attributes)


class DeliveryTests(OtlpCase):
    def test_at_the_end(self) -> None:
        """What waits when the proxy is stopped arrives, metrics too."""
        self.proxy(self.sink(flush_interval="60s", metrics_interval="60s"))
        self.chat()
        self.assertEqual(self.collector.requests, [])
        self.stop()
        received = self.collector.received
        self.assertEqual(len(received.spans), 2)
        self.assertEqual(received.metrics["http.server.request.duration"][0].count, 1)

    def test_away(self) -> None:
        """A collector that fails and is away for a while gets everything afterwards, each span once or more."""
        port = self.collector.port
        self.collector.statuses = [500] * 1000
        self.proxy(self.sink(metrics=False, request_timeout="200ms"))
        for _ in range(3):
            self.chat()
        while not self.collector.requests:
            time.sleep(0.02)
        self.collector.close()
        self.chat()
        self.collector = self.closed(Collector(port=port))
        self.chat()
        self.collector.wait(lambda received: len({span.span_id for span in received.spans}) == 10, 60)

    def test_certificates(self) -> None:
        """A collector with a certificate of its own authority, which asks for ours: by the variables for both."""
        authority = Authority(self.directory)
        certificate, key = authority.issue("localhost")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca_file)
        context.load_cert_chain(certificate, key)
        context.verify_mode = ssl.CERT_REQUIRED
        collector = self.collector = self.closed(Collector(context))
        certificate, key = authority.issue("proxy")
        self.proxy(
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_CERTIFICATE=authority.ca_file,
            OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=certificate,
            OTEL_EXPORTER_OTLP_CLIENT_KEY=key,
            OTEL_METRIC_EXPORT_INTERVAL="1000",
        )
        self.chat()
        self.assertEqual(len(self.collector.spans(2)), 2)
        self.collector.wait(lambda received: received.metrics)

    def test_workers(self) -> None:
        """Each worker has an id of its own, so that what they count is not taken for one series."""
        self.proxy(self.sink(), options=("--workers", "2"))
        until = time.monotonic() + 30
        while len(self.of_resources("process.pid")) < 2 and time.monotonic() < until:
            self.ask_together(8)
        self.assertEqual(len(self.of_resources("process.pid")), 2)
        self.assertEqual(len(self.of_resources("service.instance.id")), 2)

    def ask_together(self, count: int) -> None:
        """Connections at once, which go to both as soon as both are there."""
        asked = ("/v1/chat/completions", {**BODY, "stream": True})
        threads = [threading.Thread(target=self.ask, args=asked) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def of_resources(self, name: str) -> set[Any]:
        return {span.resource[name] for span in list(self.collector.received.spans)}


class VariableTests(OtlpCase):
    def test_alone(self) -> None:
        """Variables alone turn it on, as with any other program."""
        self.proxy(
            OTEL_EXPORTER_OTLP_ENDPOINT=self.collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="api-key=from%20env",
            OTEL_SERVICE_NAME="gateway",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
            OTEL_SEMCONV_STABILITY_OPT_IN="gen_ai_latest_experimental",
            OTEL_METRIC_EXPORT_INTERVAL="1000",
        )
        self.chat()
        server, call = self.collector.spans(2)
        self.assertEqual(server.resource["service.name"], "gateway")
        self.assertEqual(server.resource["deployment.environment.name"], "test")
        self.assertNotIn("gen_ai.system", call.attributes)
        self.assertEqual(self.collector.requests[0][1]["api-key"], "from env")
        self.collector.wait(lambda received: received.metrics)

    def test_sampling(self) -> None:
        """Traces that the caller or the sampler does not keep have no spans; they are in the log, and counted."""
        self.proxy(self.sink(), OTEL_TRACES_SAMPLER="parentbased_always_off")
        self.chat(traceparent=PARENT[:-2] + "00")
        self.chat()
        self.chat(traceparent=PARENT)
        server, _ = self.collector.spans(2)
        self.assertEqual(server.trace_id, TRACE)
        found = self.collector.wait(
            lambda received: (
                "http.server.request.duration" in received.metrics
                and received.metrics["http.server.request.duration"][0].count == 3
            )
        )
        self.assertEqual(len(found.spans), 2)
        lines = [json.loads(line) for line in Path(self.file("access.log")).read_text().splitlines()]
        self.assertTrue(
            all(
                len(line["trace_id"]) == 32 and len(line["span_id"]) == 16
                for line in lines
                if line["method"] == "POST" and "/v1" in line["path"]
            )
        )

    def test_logs(self) -> None:
        """Log records of exchanges, with the ids of their spans, where they are asked for."""
        self.proxy(self.sink(logs=True))
        self.chat(traceparent=PARENT)
        received = self.collector.wait(lambda received: received.logs and received.spans)
        (log,) = received.logs
        server = next(span for span in received.spans if span.kind == "server")
        self.assertEqual((log.trace_id, log.span_id, log.severity), (TRACE, server.span_id, 9))
        self.assertTrue(log.body.startswith("POST /v1/chat/completions 200 complete "), log.body)

    def test_wrong(self) -> None:
        """What cannot be is said at the start, in a line each, by the variable's name."""
        Path(self.file("apis.yaml")).write_text(f"default_api: a\napis:\n  a: {self.api()}\n")
        command = (*LLMPROXY, "serve", "--config", "apis.yaml", "--database", "sqlite:///d.db", "--listen", "tcp:0")
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        process = start(command, self.directory, **(KEYS | env))
        self.assertEqual(process.wait(30), 1)
        self.assertIn("OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf", Path(self.file("stderr")).read_text())


class ProgramTests(OtlpCase):
    def test_openai_sdk(self) -> None:
        """A program with OpenAI's SDK, instrumented by OpenTelemetry: one trace, from it through us to upstream."""
        from openai import OpenAI
        from opentelemetry import trace
        from opentelemetry.instrumentation import httpx as instrumentation
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        instrumentor = getattr(instrumentation, "HTTPX2ClientInstrumentor", None)
        if instrumentor is None:
            raise SkipTest("this instrumentation does not know the client of this SDK yet")
        self.proxy("tracing: {traceparent: continue}\n" + self.sink())
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key=self.token, max_retries=0) as client:
            instrumentor.instrument_client(client._client, tracer_provider=provider)
            with provider.get_tracer("program").start_as_current_span("work") as work:
                answer = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hi"}])
        self.assertEqual(answer.id, "chatcmpl-1")
        asked = next(span for span in exporter.get_finished_spans() if span.kind == trace.SpanKind.CLIENT)
        server, call = self.collector.spans(2)
        trace_id = f"{work.get_span_context().trace_id:032x}"
        self.assertEqual({server.trace_id, call.trace_id}, {trace_id})
        assert asked.context is not None
        self.assertEqual(server.parent_id, f"{asked.context.span_id:016x}")
        self.assertEqual(self.upstream.asked[0]["traceparent"][:-3], f"00-{trace_id}-{call.span_id}")


class NoExtraTests(OtlpCase):
    def test_not_installed(self) -> None:
        """Without the extra the start says what to install."""
        Path(self.file("apis.yaml")).write_text(self.sink() + f"default_api: a\napis:\n  a: {self.api()}\n")
        # What is not installed cannot be found.
        Path(self.file("sitecustomize.py")).write_text(
            "import importlib.util as u\nfound = u.find_spec\n"
            "u.find_spec = lambda name, *more: None if name.startswith('opentelemetry') else found(name, *more)\n"
        )
        command = (*LLMPROXY, "serve", "--config", "apis.yaml", "--database", "sqlite:///d.db", "--listen", "tcp:0")
        path = f"{self.directory}{os.pathsep}{environment()['PYTHONPATH']}"
        process = start(command, self.directory, **(KEYS | {"PYTHONPATH": path}))
        self.assertEqual(process.wait(30), 1)
        self.assertIn("pip install 'txllmproxy[otel]'", Path(self.file("stderr")).read_text())
