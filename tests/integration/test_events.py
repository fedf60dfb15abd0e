"""Events against real receivers: from an exchange to a file, and to a webhook that verifies what it gets."""

from __future__ import annotations

import glob
import hashlib
import hmac
import json
import os
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.processes import fast_upstream
from llmproxy.bench.proxied import running_proxy
from llmproxy.config import APIConfig
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.events.reports import SinkReport

from .certificates import Authority
from .harness import MANAGEMENT_TOKEN, ProxyTestCase, post
from .processes import LLMPROXY, run
from .receivers import Receiver, pause

SECRET = "hook-secret-canary"
ANSWER = b'{"id":"chatcmpl-1","model":"gpt-5-2026","usage":{"prompt_tokens":7,"completion_tokens":3}}'


class EventsTestCase(ProxyTestCase):
    async def setUp(self) -> None:
        self.receiver = Receiver()
        await self.receiver.start()
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        await super().setUp()

    async def tearDown(self) -> None:
        await super().tearDown()
        await self.receiver.stop()

    def sinks(self) -> list[SinkConfig]:
        raise NotImplementedError

    def config(self, base_url: str) -> APIConfig:
        api = evolve(self.api(base_url), dialect="openai")
        return APIConfig({"api": api}, "api", sinks=self.sinks())

    async def exchange(self, number: int = 0, status: bytes = b"200 OK") -> None:
        """One exchange, to its end, of that number on the connection to upstream."""
        path = b"/v1/chat/completions?key=canary"
        client = await self.send(post(b'{"model":"gpt-5"}', b"Connection: close", path=path))
        wire = await self.upstream.wire()
        await wire.until(lambda: wire.received.count(b"gpt-5") > number)
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nx-request-id: up-1\r\n\r\n"
        wire.send(head % (status, len(ANSWER)) + ANSWER)
        await client.until_closed()


class WebhookTests(EventsTestCase):
    def sinks(self) -> list[SinkConfig]:
        path = os.path.join(self.directory, "events.jsonl")
        hook = {"url": self.receiver.url, "secret": SECRET, "headers": {"Authorization": "Bearer hook-token-canary"}}
        return [
            SinkConfig("log", "file", flush_interval=0.05, settings={"path": path}),
            SinkConfig("hook", "http", flush_interval=0.05, settings=hook, directory=self.directory),
            SinkConfig("errors", "file", {"status": ">=400"}, flush_interval=0.05, settings={"path": path + ".errors"}),
        ]

    async def test_exchange(self) -> None:
        """An exchange is in the file and at the webhook, the same event, signed, and without a secret of anybody."""
        await self.exchange()
        await self.receiver.until(1)
        [(fields, [event])] = self.receiver.inbox.batches
        self.assertEqual((event["kind"], event["status"], event["ended"]), ("exchange", 200, "complete"))
        self.assertEqual((event["model"], event["served_model"]), ("gpt-5", "gpt-5-2026"))
        self.assertEqual((event["input_tokens"], event["output_tokens"]), (7, 3))
        self.assertEqual((event["path"], event["upstream_request_id"]), ("/v1/chat/completions", "up-1"))
        [project] = {each.project_id for each in self.records}
        self.assertEqual(event["project_id"], project)
        signed = f"{fields['webhook-id']}.{fields['webhook-timestamp']}.".encode() + self.receiver.inbox.raw[0]
        expected = b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        self.assertEqual(fields["webhook-signature"], f"v1,{expected}")
        self.assertEqual(fields["authorization"], "Bearer hook-token-canary")
        await pause(0.2)
        with open(os.path.join(self.directory, "events.jsonl")) as file:
            self.assertEqual([json.loads(line) for line in file], [event])
        self.assertNotIn("canary", json.dumps(event))
        self.assertFalse(os.path.exists(os.path.join(self.directory, "events.jsonl.errors")))

    async def test_only_errors(self) -> None:
        """A sink that asks for errors gets those."""
        await self.exchange(0)
        await self.exchange(1, b"500 Oops")
        await self.receiver.until(2)
        await pause(0.2)
        with open(os.path.join(self.directory, "events.jsonl.errors")) as file:
            self.assertEqual([json.loads(line)["status"] for line in file], [500])

    async def test_away(self) -> None:
        """While the receiver is away nothing is lost, requests are answered, and management says so."""
        await self.receiver.stop()
        await self.exchange(0)
        await self.until(lambda hook: hook.failing)
        await self.exchange(1)
        hook = await self.until(lambda hook: hook.spooled)
        self.assertEqual((hook.state, hook.lost, hook.delivered), ("failing", 0, 0))
        self.assertEqual((hook.waiting, hook.spooled), (1, 1))
        self.assertIn("no answer", hook.error)
        await self.receiver.start()
        await self.receiver.until(2)
        hook = await self.until(lambda hook: hook.delivered == 2 and not hook.spooled)
        self.assertEqual((hook.state, hook.delivered, hook.spooled, hook.answer), ("ok", 2, 0, '200 {"ok":true}'))

    async def test_sent_again(self) -> None:
        """What was refused for good is sent again by a command, under the ids that it had; then it is no letter."""
        self.receiver.inbox.status = 422
        for number in range(3):
            await self.exchange(number)
        await self.until(lambda hook: hook.dead == 3)
        letters = os.path.join(self.directory, "hook.dead.jsonl")
        with open(letters) as file:
            ids = [json.loads(line)["event"]["id"] for line in file]
        self.assertEqual(await self.redeliver(), "hook: 0 delivered, 3 refused again, 0 left.\n")
        self.receiver.inbox.status = 200
        self.receiver.inbox.poison = {ids[1]}
        self.assertEqual(await self.redeliver(), "hook: 2 delivered, 1 refused again, 0 left.\n")
        self.assertEqual([each["id"] for each in self.receiver.inbox.events], [ids[0], ids[2]])
        self.receiver.inbox.poison = set()
        self.assertEqual(await self.redeliver(), "hook: 1 delivered, 0 refused again, 0 left.\n")
        self.assertEqual(sorted(each["id"] for each in self.receiver.inbox.events), sorted(ids))
        self.assertFalse(os.path.exists(letters))
        self.assertEqual(await self.redeliver(), "hook has no dead letters.\n")

    async def redeliver(self) -> str:
        address = f"http://127.0.0.1:{self.port}"
        command = (*LLMPROXY, "sinks", "redeliver", "hook", "--manage-api-base-url", address)
        ended = await deferToThread(run, command, self.directory, MANAGEMENT_TOKEN=MANAGEMENT_TOKEN)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return str(ended.stdout)

    async def until(self, condition: Callable[[SinkReport], object]) -> SinkReport:
        """What is known of the webhook, once that is so."""
        for _ in range(200):
            hook = self.service.proxy.metrics().sinks()[1]
            if condition(hook):
                return hook
            await pause(0.05)
        raise AssertionError(hook)


class RestartTests(EventsTestCase):
    def sinks(self) -> list[SinkConfig]:
        return [
            SinkConfig(
                "hook", "http", flush_interval=0.05, settings={"url": self.receiver.url}, directory=self.directory
            )
        ]

    async def test_restart(self) -> None:
        """What a receiver that was away has not got comes from the next process; the end waits some seconds."""
        await self.receiver.stop()
        await self.exchange()
        await pause(0.2)
        before = reactor.seconds()  # type: ignore[attr-defined]
        await self.service.stopService()
        self.assertLess(reactor.seconds() - before, 6)  # type: ignore[attr-defined]
        await self.receiver.start()
        self.service = await self.start_proxy(self.base_url)
        await self.receiver.until(1)

    async def test_never_answers(self) -> None:
        """A receiver that takes the request and says nothing keeps nobody from ending, and loses nothing."""
        self.receiver.inbox.status = 0
        await self.exchange()
        await pause(0.2)
        await self.service.stopService()
        self.receiver.inbox.status = 200
        self.service = await self.start_proxy(self.base_url)
        await self.receiver.until(1)


class CommandTests(EventsTestCase):
    def sinks(self) -> list[SinkConfig]:
        return []

    def file(self, sink: str) -> None:
        api = "apis: {a: {base_url: 'http://a', allowed_endpoints: [/v1], allowed_methods: [POST]}}"
        with open(os.path.join(self.directory, "apis.yaml"), "w") as file:
            file.write(f"default_api: a\n{api}\nsinks:\n  - {sink}\n")

    async def test_taken(self) -> None:
        """One event is sent, and what came back is shown."""
        self.file(f"{{name: hook, type: http, url: {self.receiver.url}, secret: ${{HOOK_SECRET}}}}")
        ended = await self.run_command("sinks", "test", "hook", "--config", "apis.yaml")
        self.assertEqual(ended.stdout, 'hook (http) took the event: 200 {"ok":true}\n', ended.stderr)
        self.assertEqual(ended.returncode, 0)
        [event] = self.receiver.inbox.events
        self.assertEqual(event["details"], {"test": "sent by llmproxy sinks test"})

    async def test_refused(self) -> None:
        """What the receiver says is shown, masked and short; the status of the command tells refusals from silence."""
        self.receiver.inbox.status = 401
        self.receiver.inbox.answer = b"wrong key sk-abcdefghijklmnopqrstuvwx " + b"x" * 500
        self.file(f"{{name: hook, type: http, url: {self.receiver.url}}}")
        ended = await self.run_command("sinks", "test", "hook", "--config", "apis.yaml")
        self.assertEqual(ended.returncode, 5)
        self.assertIn("hook (http) did not take the event: answered 401 wrong key [masked]", ended.stderr)
        self.assertLess(len(ended.stderr), 350)
        self.receiver.inbox.status = 422
        ended = await self.run_command("sinks", "test", "hook", "--config", "apis.yaml")
        self.assertEqual(ended.returncode, 4)

    async def run_command(self, *command: str) -> Any:
        return await deferToThread(run, (*LLMPROXY, *command), self.directory, HOOK_SECRET="s-canary-1234")


class WorkerTests(SynchronousTestCase):
    def test_one_file(self) -> None:
        """Two workers write one file: every exchange has a line, whole, and rotation loses none."""
        path = os.path.abspath(self.mktemp())
        sink = f"sinks: [{{name: log, type: file, path: {path}, max_size: 20KiB, flush_interval: 100ms, batch: 5}}]\n"
        with fast_upstream() as (port, _), running_proxy(port, 2, settings=sink) as proxy:
            for _ in range(20):
                connection = HTTPConnection("127.0.0.1", proxy.port, timeout=20)
                for _ in range(10):
                    fields = {"Authorization": f"Bearer {proxy.token}", "Content-Type": "application/json"}
                    connection.request("POST", "/v1/chat/completions", b'{"model":"demo"}', fields)
                    self.assertEqual(connection.getresponse().read()[:1], b"{")
                connection.close()
        found = []
        for each in glob.glob(path + "*"):
            if not each.endswith(".lock"):
                with open(each) as file:
                    found += [json.loads(line) for line in file]
        self.assertEqual((len(found), len({event["id"] for event in found})), (200, 200))
        self.assertGreater(len(glob.glob(path + ".*")), 2)


class TlsTests(EventsTestCase):
    def sinks(self) -> list[SinkConfig]:
        """The receiver's certificate is of an authority that only one of the two knows."""
        self.authority = Authority(self.mktemp())
        settings = {"url": self.receiver.url.replace("http://127.0.0.1", "https://localhost")}
        with_ca = {**settings, "ca_file": self.authority.ca_file}
        return [
            SinkConfig("trusting", "http", flush_interval=0.05, settings=with_ca, directory=self.directory),
            SinkConfig("wary", "http", flush_interval=0.05, settings=settings, directory=self.directory),
        ]

    async def test_own_authority(self) -> None:
        """With C{ca_file} a receiver of one's own authority is trusted, and without it nothing is sent there."""
        await self.receiver.stop()
        await self.receiver.start(self.authority.issue("localhost"))
        await self.exchange()
        await self.receiver.until(1)
        await pause(0.3)
        [trusting, wary] = self.service.proxy.metrics().sinks()
        self.assertEqual((trusting.delivered, wary.delivered, wary.state), (1, 0, "failing"))
        self.assertIn("certificate", wary.error)
