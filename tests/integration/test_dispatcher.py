"""C{llmproxy dispatcher} as processes of their own, between a real Redis and servers of what vendors document."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from attrs import evolve
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIConfig
from llmproxy.config.capture import CaptureConfig
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.events import encode, encode_legacy
from llmproxy.core.events.vendors import langfuse, lunary
from llmproxy.core.events.vendors.reading import id_of
from llmproxy.core.events.vendors.reference import payload_of

from ..core.events.vendors.samples import ANSWER, REQUEST, bare, chat
from .harness import ProxyTestCase, post
from .processes import LLMPROXY, environment, free_port, heeding_interrupts
from .redisserver import MISSING, RedisServer, shared_server
from .vendorservers import HeliconeServer, LangfuseServer, LunaryServer

KEY = "key-canary-0123456789"


def wait_until(true: Callable[[], Any], seconds: float = 20.0, what: str = "") -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what or "it never was"
        time.sleep(0.02)


class DispatcherCase(SynchronousTestCase):
    skip = MISSING

    def setUp(self) -> None:
        self.server: RedisServer = shared_server()
        self.stream = f"events-{os.urandom(4).hex()}"
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.processes: list[Popen[bytes]] = []
        self.addCleanup(self.kill_all)

    def kill_all(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def publish(self, *datas: bytes) -> None:
        for data in datas:
            self.server.ask("XADD", self.stream, "*", "data", data)

    def dispatch(self, *words: str, **env: str) -> Popen[bytes]:
        """One that runs until the test ends; its output is in a file of the number that it has."""
        known = {
            "REDIS_ADDR": f"127.0.0.1:{self.server.port}",
            "REDIS_STREAM_KEY": self.stream,
            "REDIS_STREAM_BLOCK_TIME": "200ms",
            "REDIS_STREAM_CLAIM_TIME": "1s",
        }
        with open(os.path.join(self.directory, f"log-{len(self.processes)}"), "wb") as log, heeding_interrupts():
            process = Popen(
                [*LLMPROXY, "dispatcher", *(() if "--listen" in words else ("--listen", "off")), *words],
                cwd=self.directory,
                env=environment(**(known | env)),
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def log(self, number: int = 0) -> str:
        return Path(self.directory, f"log-{number}").read_text()

    def pending(self, group: str = "llm-proxy-dispatchers") -> int:
        try:
            return int(self.server.ask("XPENDING", self.stream, group)[0])
        except AssertionError:
            # There is no group yet.
            return 0

    def stop(self, process: Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 0, self.log())

    def lines(self, name: str) -> list[Any]:
        path = Path(self.directory, name)
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class ServiceTests(DispatcherCase):
    """The reference's services, with its flags and variables."""

    def test_langfuse(self) -> None:
        """A trace and a generation of each exchange, as documented, field by field; once, however often they come."""
        server = LangfuseServer("pk-lf-1", KEY)
        self.addCleanup(server.close)
        self.publish(encode(chat()), encode(bare(method="POST")), encode(chat()), encode(bare(kind="audit.login")))
        process = self.dispatch(
            "--service",
            "langfuse",
            "--flush-interval",
            "50ms",
            LANGFUSE_PUBLIC_KEY="pk-lf-1",
            LANGFUSE_SECRET_KEY=KEY,
            LANGFUSE_HOST=server.url,
        )
        wait_until(lambda: len(server.seen) == 4)
        wait_until(lambda: not self.pending())
        self.stop(process)
        self.assertEqual(server.wrong, [])
        expected = [item for event in (chat(), bare(method="POST")) for item in langfuse.items_of(event)]
        self.assertEqual(list(server.seen.values()), json.loads(json.dumps(expected)))
        trace, generation = list(server.seen.values())[:2]
        self.assertEqual((trace["body"]["userId"], trace["body"]["sessionId"]), ("ada", "s-1"))
        self.assertEqual((trace["body"]["tags"], trace["body"]["input"]), (["team:red", "beta"], REQUEST["messages"]))
        body = generation["body"]
        self.assertEqual(body["traceId"], trace["body"]["id"])
        self.assertEqual((body["model"], body["output"]), (ANSWER["model"], ANSWER["choices"][0]["message"]))
        self.assertEqual(sum(body["usageDetails"].values()) - body["usageDetails"]["total"], 29)
        self.assertEqual((body["usageDetails"]["total"], body["costDetails"]), (29, {"total": 0.0000123}))
        self.assertNotIn(KEY, self.log())

    def test_lunary(self) -> None:
        """The beginning and the end of a run; what comes again changes nothing and is no failure."""
        server = LunaryServer(KEY)
        self.addCleanup(server.close)
        self.publish(encode(chat()), encode(bare()), encode(chat()), encode(bare(id="c" * 32, method="POST")))
        where = server.url + server.path
        process = self.dispatch("--service", "lunary", "--endpoint", where, "--batch-size", "2", LLM_PROXY_API_KEY=KEY)
        wait_until(lambda: len(server.runs) == 2 and not self.pending())
        self.stop(process)
        self.assertEqual(server.wrong, [])
        start, end = json.loads(json.dumps(lunary.events_of(chat())))
        self.assertEqual(server.runs[id_of(chat(), "run")][:2], [start, end])
        self.assertEqual((start["input"], end["output"]), (REQUEST["messages"], ANSWER["choices"][0]["message"]))
        self.assertEqual(end["tokensUsage"], {"prompt": 20, "completion": 9, "promptCached": 5})
        events = [each["event"] for each in server.runs[id_of(bare(id="c" * 32), "run")]]
        self.assertEqual(events, ["start", "error"])

    def test_helicone(self) -> None:
        """One request for each exchange; the reference's events of another proxy too."""
        server = HeliconeServer(KEY)
        self.addCleanup(server.close)
        legacy = encode_legacy(chat())
        self.publish(encode(chat(user="Zoë")), legacy, encode(bare()))
        process = self.dispatch(
            *("--service", "helicone", "--endpoint", server.url + server.path, "--flush-interval", "50ms"),
            LLM_PROXY_API_KEY=KEY,
        )
        wait_until(lambda: len(server.logged) == 2 and not self.pending())
        self.stop(process)
        self.assertEqual(server.wrong, [])
        ours, theirs = server.requests
        self.assertEqual((ours["providerRequest"]["json"], ours["providerResponse"]["json"]), (REQUEST, ANSWER))
        self.assertEqual(ours["providerRequest"]["meta"]["Helicone-User-Id"], "Zo%C3%AB")
        self.assertEqual(ours["timing"]["timeToFirstToken"], 250)
        self.assertEqual((theirs["providerRequest"]["json"], theirs["providerResponse"]["json"]), (REQUEST, ANSWER))

    def test_file(self) -> None:
        """The reference's default: its lines in a file; what is in the buffer at the end is written."""
        self.publish(encode(chat()), encode(bare()), encode(bare(id="o" * 32, method="OPTIONS")))
        process = self.dispatch(DISPATCHER_ENDPOINT="events.jsonl", DISPATCHER_SERVICE="file")
        wait_until(lambda: self.server.ask("EXISTS", self.stream) and "Starting dispatcher service" in self.log())
        wait_until(lambda: self.pending() == 2)
        self.stop(process)
        expected = json.loads(json.dumps([payload_of(chat()), payload_of(bare())]))
        self.assertEqual(self.lines("events.jsonl"), expected)
        mode = os.stat(os.path.join(self.directory, "events.jsonl")).st_mode & 0o777
        self.assertEqual((self.pending(), mode), (0, 0o600))

    def test_stdout(self) -> None:
        """Ours, where it is asked for."""
        self.publish(encode(chat()))
        process = self.dispatch("--service", "stdout", "--schema", "1", "--flush-interval", "10ms")
        wait_until(lambda: '"schema_version":1' in self.log())
        self.stop(process)

    def test_wrong_key(self) -> None:
        """A wrong key loses nothing: once it is right, everything comes."""
        server = LunaryServer("another")
        self.addCleanup(server.close)
        self.publish(encode(chat()))
        words = ("--service", "lunary", "--endpoint", server.url + server.path, "--flush-interval", "10ms")
        wrong = self.dispatch(*words, LLM_PROXY_API_KEY=KEY)
        wait_until(lambda: server.wrong)
        self.stop(wrong)
        self.assertEqual(self.pending(), 1)
        self.assertNotIn(KEY, self.log())
        right = self.dispatch(*words, LLM_PROXY_API_KEY="another")
        wait_until(lambda: len(server.runs) == 1)
        self.stop(right)


class FileTests(DispatcherCase):
    """The sinks of a YAML file."""

    def configure(self, text: str) -> str:
        path = os.path.join(self.directory, "dispatcher.yaml")
        Path(path).write_text(text)
        return path

    def get(self, port: int, path: str) -> tuple[int, Any]:
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def test_sinks(self) -> None:
        """Each of several sinks gets everything by a group of its own; one that is away holds up no other."""
        server = LangfuseServer("p", KEY)
        self.addCleanup(server.close)
        server.answer = lambda body: (503, {})
        port = free_port()
        path = self.configure(
            "sinks:\n"
            f"  - {{name: bus, type: redis-streams, stream: {self.stream}}}\n"
            "  - {name: log, type: file, path: log.jsonl, flush_interval: 50ms, when: {status: '<400'}}\n"
            f"  - {{name: lf, type: langfuse, url: '{server.url}', public_key: p, secret_key: '${{SECRET}}',"
            " flush_interval: 50ms}\n"
        )
        self.publish(encode(chat()), encode(bare()))
        process = self.dispatch("--config", path, "--listen", f"127.0.0.1:{port}", SECRET=KEY)
        wait_until(lambda: len(self.lines("log.jsonl")) == 1)
        self.assertEqual(self.lines("log.jsonl")[0]["id"], chat().id)
        wait_until(lambda: self.get(port, "/ready")[0] == 503)
        self.assertIn("lf: cannot deliver: answered 503", self.get(port, "/ready")[1])
        self.assertEqual((self.get(port, "/health")[0], self.get(port, "/live")), (200, (200, "alive\n")))
        server.answer = lambda body: None
        wait_until(lambda: len(server.seen) == 4)
        wait_until(lambda: self.get(port, "/ready") == (200, "ready\n"))
        metrics = self.get(port, "/metrics")[1]
        self.assertIn('llmproxy_dispatcher_delivered_total{sink="log"} 1.0', metrics)
        self.assertIn('llmproxy_dispatcher_passed_over_total{sink="log"} 1.0', metrics)
        self.assertIn('llmproxy_dispatcher_delivered_total{sink="lf"} 2.0', metrics)
        wait_until(lambda: not self.pending("llm-proxy-dispatchers-lf"))
        self.assertEqual(self.pending("llm-proxy-dispatchers-log"), 0)
        self.stop(process)

    def test_poisoned_content(self) -> None:
        """An item that Langfuse never takes is a dead letter; its neighbours are delivered, and nothing waits."""
        server = LangfuseServer("p", KEY)
        self.addCleanup(server.close)
        poisoned = chat(id="f" * 32, path="/v1/poison")
        server.poisoned = {each["id"] for each in langfuse.items_of(poisoned)}
        path = self.configure(
            f"sinks: [{{name: lf, type: langfuse, url: '{server.url}', public_key: p, secret_key: '${{SECRET}}',"
            " flush_interval: 50ms}]\n"
        )
        events = [chat(id=f"{number:032x}") for number in range(5)]
        self.publish(*map(encode, [*events[:2], poisoned, *events[2:]]))
        process = self.dispatch("--config", path, SECRET=KEY)
        wait_until(lambda: len(server.seen) == 10 and not self.pending())
        [letter] = self.lines("data/sinks/lf.dead.jsonl")
        self.assertEqual((letter["event"]["id"], letter["reason"]), (poisoned.id, "status 400: no"))
        self.stop(process)

    def test_killed(self) -> None:
        """What a dispatcher had that is killed comes to another one of its group; several share the work."""
        path = self.configure("sinks: [{name: log, type: file, path: log.jsonl, flush_interval: 300ms}]\n")
        first = self.dispatch("--config", path)
        wait_until(lambda: "Starting dispatcher service" in self.log())
        self.publish(*(encode(chat(id=f"{number:032x}")) for number in range(50)))
        wait_until(lambda: self.pending())
        first.kill()
        first.wait()
        others = [self.dispatch("--config", path) for _ in range(2)]
        self.publish(*(encode(chat(id=f"{number:032x}")) for number in range(50, 100)))
        wait_until(lambda: len({each["id"] for each in self.lines("log.jsonl")}) == 100 and not self.pending())
        for number, process in enumerate(others, 1):
            wait_until(lambda number=number: "Starting dispatcher service" in self.log(number))  # type: ignore[misc]
            self.stop(process)

    def test_no_redis(self) -> None:
        """Without Redis it starts, says what is wrong, and ends when it is asked to."""
        port = free_port()
        path = self.configure("sinks: [{name: log, type: file, path: log.jsonl}]\n")
        listen = ("--listen", f"127.0.0.1:{port}")
        process = self.dispatch("--config", path, *listen, REDIS_ADDR=f"127.0.0.1:{free_port()}")
        wait_until(lambda: "events" in self.log())
        status, body = self.get(port, "/health")
        self.assertEqual((status, json.loads(body)["status"]), (503, "unhealthy"))
        self.stop(process)


class ReferenceTests(DispatcherCase):
    """The reference's variables, of a proxy that is started with them."""

    def test_variables(self) -> None:
        """Its bus and its log of events have what they have there, by the names that they have there."""
        port = free_port()
        Path(self.directory, "apis.yaml").write_text(
            "default_api: a\n"
            "apis: {a: {base_url: 'http://127.0.0.1:9', allowed_endpoints: [/v1], allowed_methods: [POST]}}\n"
        )
        with open(os.path.join(self.directory, "proxy"), "wb") as log, heeding_interrupts():
            process = Popen(
                [*LLMPROXY, "serve", "--config", "apis.yaml", "--listen", f"127.0.0.1:{port}"],
                cwd=self.directory,
                env=environment(
                    MANAGEMENT_TOKEN="management-token-canary-0123456789",
                    DATABASE_PATH="d.db",
                    LLM_PROXY_EVENT_BUS="redis-streams",
                    REDIS_ADDR=f"127.0.0.1:{self.server.port}",
                    REDIS_STREAM_KEY=self.stream,
                    FILE_EVENT_LOG="events.jsonl",
                ),
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        said = Path(self.directory, "proxy")
        wait_until(lambda: self.answer(port) == 401 or process.poll() is not None, what=said.read_text())
        wait_until(lambda: self.server.ask("XLEN", self.stream) and self.lines("events.jsonl"), what=said.read_text())
        [name, data] = self.server.ask("XRANGE", self.stream, "-", "+")[0][1]
        event = json.loads(data)
        names = "LogID RequestID Method Path Status Duration ResponseHeaders ResponseBody RequestBody"
        self.assertEqual((name, list(event)), (b"data", names.split()))
        self.assertEqual((event["Method"], event["Path"], event["Status"]), ("POST", "/v1/chat/completions", 401))
        line = self.lines("events.jsonl")[0]
        self.assertEqual((line["request_id"], line["status"], line["log_id"]), (event["RequestID"], 401, 0))
        process.terminate()
        self.assertEqual(process.wait(20), 0, said.read_text())

    def answer(self, port: int) -> int:
        request = Request(f"http://127.0.0.1:{port}/v1/chat/completions", b"{}", method="POST")
        try:
            with urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except HTTPError as error:
            with error:
                return int(error.code)
        except OSError:
            return 0


class ChainTests(ProxyTestCase):
    """From a client's request to what a vendor is sent."""

    skip = MISSING

    def config(self, base_url: str) -> APIConfig:
        self.stream = f"events-{os.urandom(4).hex()}"
        where = {"url": f"redis://127.0.0.1:{shared_server().port}/0", "stream": self.stream}
        api = evolve(self.api(base_url), dialect="openai", capture=CaptureConfig())
        bus = SinkConfig("bus", "redis-streams", flush_interval=0.05, settings=where, spool=0, dead_letters=0)
        return APIConfig({"api": api}, "api", sinks=[bus])

    async def test_chain(self) -> None:
        """A call of a model is a generation in Langfuse: what was asked, what was answered, what it used."""
        asked = {"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}]}
        client = await self.send(post(json.dumps(asked).encode(), b"Connection: close", path=b"/v1/chat/completions"))
        wire = await self.upstream.wire()
        await wire.until(lambda: b"hello" in wire.received)
        answer: Any = {
            "id": "chatcmpl-1",
            "model": "gpt-5-2026",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3},
        }
        body = json.dumps(answer).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        wire.send(head % len(body) + body)
        await client.until_closed()
        case = DispatcherCase()
        case.setUp()
        case.stream = self.stream
        server = LangfuseServer("p", KEY)
        keys = {"LANGFUSE_PUBLIC_KEY": "p", "LANGFUSE_SECRET_KEY": KEY, "LANGFUSE_HOST": server.url}
        case.dispatch("--service", "langfuse", "--flush-interval", "50ms", **keys)
        try:
            await deferToThread(wait_until, lambda: len(server.seen) == 2)
        finally:
            case.kill_all()
            server.close()
        trace, generation = server.seen.values()
        self.assertEqual((server.wrong, trace["body"]["input"]), ([], [{"role": "user", "content": "hello"}]))
        self.assertEqual(generation["body"]["output"], answer["choices"][0]["message"])
        self.assertEqual(generation["body"]["model"], "gpt-5-2026")
        self.assertEqual(generation["body"]["usageDetails"], {"input": 7, "output": 3, "total": 10})
