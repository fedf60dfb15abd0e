"""The demo upstream, over a connection in memory."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from llmproxy.demo import DemoUpstream
from llmproxy.demo.resource import MAX_FILES

KEY = "demo-key"


class DemoTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.demo = DemoUpstream(self.clock, KEY, pause=1.0)
        self.site = Site(self.demo, reactor=self.clock)
        self.connect()

    def connect(self) -> None:
        self.transport = StringTransport()
        self.channel = self.site.buildProtocol(None)
        self.channel.makeConnection(self.transport)

    def send(self, method: str, path: str, body: bytes = b"", *fields: str) -> None:
        head = [f"{method} {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *fields]
        self.channel.dataReceived("\r\n".join([*head, "", ""]).encode() + body)

    def answer(self) -> tuple[int, bytes, bytes]:
        """Status, head and content of what was written since the last time."""
        head, _, content = self.transport.value().partition(b"\r\n\r\n")
        self.transport.clear()
        return int(head.split()[1]), head.lower(), content

    def ask(self, method: str, path: str, body: Any = None, key: str = KEY) -> tuple[int, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        self.send(method, path, content, f"Authorization: Bearer {key}", "Content-Type: application/json")
        status, _, content = self.answer()
        return status, json.loads(content)

    def tearDown(self) -> None:
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.getTime() < 50], [])


class AnswerTests(DemoTests):
    def test_its_own_key_only(self) -> None:
        """A call that still holds the withering token fails, so that one sees the proxy change it."""
        status, answer = self.ask("GET", "/v1/models", key="sk-withering")
        self.assertEqual((status, answer["error"]["code"]), (401, "invalid_api_key"))
        self.send("POST", "/v1/messages", b"{}", "x-api-key: wrong")
        status, _, content = self.answer()
        self.assertEqual((status, json.loads(content)["error"]["type"]), (401, "authentication_error"))
        self.send("GET", "/v1/models", b"", f"x-api-key: {KEY}")
        self.assertEqual(self.answer()[0], 200)

    def test_nested(self) -> None:
        """A body that is nested too deeply is refused as one that is no JSON."""
        body = b'{"model": "demo", "a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
        self.send("POST", "/v1/chat/completions", body, f"Authorization: Bearer {KEY}")
        status, _, content = self.answer()
        self.assertEqual((status, json.loads(content)["error"]["type"]), (400, "invalid_request_error"))

    def test_server(self) -> None:
        """No answer says with what it was made."""
        for method, path in (("GET", "/v1/models"), ("GET", "/nothing")):
            self.send(method, path, b"", f"Authorization: Bearer {KEY}")
            _, head, _ = self.answer()
            self.assertIn(b"\r\nserver: llmproxy-demo\r\n", head)
            self.assertNotIn(b"twisted", head)

    def test_chat(self) -> None:
        """It says what it was told, and counts words."""
        messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello there"}]
        status, answer = self.ask("POST", "/v1/chat/completions", {"model": "demo", "messages": messages})
        self.assertEqual(status, 200)
        self.assertEqual(answer["choices"][0]["message"]["content"], "You said: Hello there")
        self.assertEqual(answer["usage"], {"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8})
        again = self.ask("POST", "/v1/chat/completions", {"model": "demo", "messages": messages})
        self.assertEqual(again, (status, answer))

    def test_parts(self) -> None:
        """A message of several parts is read too."""
        parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}]
        messages = [{"role": "user", "content": parts}]
        _, answer = self.ask("POST", "/v1/chat/completions", {"model": "demo", "messages": messages})
        self.assertEqual(answer["choices"][0]["message"]["content"], "You said: a b")

    def test_models(self) -> None:
        """The list, one of it, and none that is not in it."""
        _, answer = self.ask("GET", "/v1/models")
        self.assertIn("demo", [model["id"] for model in answer["data"]])
        self.assertEqual(self.ask("GET", "/v1/models/demo")[1]["id"], "demo")
        self.assertEqual(self.ask("GET", "/v1/models/none")[0], 404)

    def test_embeddings(self) -> None:
        """As numbers and as base64, the same ones."""
        asked = {"model": "demo-embedding", "input": ["one two", "three"], "dimensions": 8}
        _, numbers = self.ask("POST", "/v1/embeddings", asked)
        _, packed = self.ask("POST", "/v1/embeddings", asked | {"encoding_format": "base64"})
        for plain, coded in zip(numbers["data"], packed["data"], strict=True):
            self.assertEqual(
                list(struct.unpack("<8f", base64.b64decode(coded["embedding"]))), plain["embedding"], (plain, coded)
            )
        self.assertEqual(numbers["usage"]["total_tokens"], 3)
        self.assertNotEqual(numbers["data"][0]["embedding"], numbers["data"][1]["embedding"])

    def test_upload(self) -> None:
        """An uploaded file can be listed and comes back byte for byte; old ones are forgotten."""
        content = bytes(range(256))
        stored = self.upload(content)
        self.assertEqual((stored["bytes"], stored["purpose"]), (256, "batch"))
        self.assertEqual(self.ask("GET", f"/v1/files/{stored['id']}")[1], stored)
        self.assertEqual(self.ask("GET", "/v1/files")[1]["data"], [stored])
        self.send("GET", f"/v1/files/{stored['id']}/content", b"", f"Authorization: Bearer {KEY}")
        self.assertEqual(self.answer()[2], content)
        for number in range(MAX_FILES):
            self.upload(b"%d" % number)
        self.assertEqual(self.ask("GET", f"/v1/files/{stored['id']}")[0], 404)

    def upload(self, content: bytes) -> Any:
        body = (
            b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            b'--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + content + b"\r\n--B--\r\n"
        )
        self.send(
            "POST", "/v1/files", body, f"Authorization: Bearer {KEY}", "Content-Type: multipart/form-data; boundary=B"
        )
        return json.loads(self.answer()[2])

    def test_bad_requests(self) -> None:
        """What OpenAI refuses is refused in its shape."""
        for path, body in (
            ("/v1/chat/completions", {"model": "demo"}),
            ("/v1/chat/completions", {"model": "demo", "messages": "hello"}),
            ("/v1/chat/completions", [1]),
            ("/v1/embeddings", {"model": "demo", "input": "a", "dimensions": 0}),
            ("/v1/files", {}),
        ):
            status, answer = self.ask("POST", path, body)
            self.assertEqual((status, answer["error"]["type"]), (400, "invalid_request_error"), path)
        self.assertEqual(self.ask("PATCH", "/v1/models")[0], 404)
        self.assertEqual(self.ask("GET", "/v2")[0], 404)


class StreamTests(DemoTests):
    def stream(self, path: str = "/v1/chat/completions", **body: Any) -> None:
        asked = {"model": "demo", "messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 9}
        self.send("POST", path, json.dumps(asked | body).encode(), f"Authorization: Bearer {KEY}")

    def events(self) -> list[str]:
        """The data of the events that were written since the last time."""
        found = [line[6:] for line in self.transport.value().decode().splitlines() if line.startswith("data: ")]
        self.transport.clear()
        return found

    def test_one_event_at_a_time(self) -> None:
        """Events come with a pause between them, not in one piece."""
        self.stream()
        self.clock.advance(0)
        head, _, first = self.transport.value().partition(b"\r\n\r\n")
        self.assertIn(b"text/event-stream", head)
        self.assertEqual(first.count(b"data: "), 1)
        self.transport.clear()
        self.clock.advance(0.9)
        self.assertEqual(self.transport.value(), b"")
        self.clock.advance(0.1)
        self.assertEqual(self.transport.value().count(b"data: "), 1)
        self.clock.pump([1] * 10)

    def test_the_same_answer(self) -> None:
        """The pieces are the words of the plain answer; usage comes last where it was asked for."""
        self.stream(stream_options={"include_usage": True})
        self.clock.pump([0] + [1] * 12)
        chunks = [json.loads(data) for data in self.events() if data != "[DONE]"]
        self.assertEqual("".join(c["choices"][0]["delta"].get("content", "") for c in chunks[:-1]), "You said: Hi")
        self.assertEqual(chunks[-1]["usage"], {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4})
        self.assertEqual(chunks[-1]["choices"], [])

    def test_the_connection_goes_on(self) -> None:
        """After a stream the next request on the connection is answered."""
        self.stream()
        self.clock.pump([0] + [1] * 12)
        self.assertTrue(self.transport.value().endswith(b"0\r\n\r\n"))
        self.transport.clear()
        self.assertEqual(self.ask("GET", "/v1/models")[0], 200)

    def test_a_slow_reader_pauses_it(self) -> None:
        """Nothing is written while the transport asks for a pause, and nothing is lost."""
        self.stream()
        self.clock.advance(0)
        self.transport.producer.pauseProducing()
        self.transport.clear()
        self.clock.advance(40)
        self.assertEqual(self.transport.value(), b"")
        self.transport.producer.resumeProducing()
        self.clock.pump([0] + [1] * 12)
        self.assertIn(b"[DONE]", self.transport.value())

    def test_the_client_leaves(self) -> None:
        """Nothing goes on for a client that is gone."""
        self.stream()
        self.clock.advance(0)
        self.channel.connectionLost(Failure(ConnectionLost()))
        self.transport.clear()
        self.clock.advance(5)
        self.assertEqual(self.transport.value(), b"")

    def test_anthropic(self) -> None:
        """The events of Anthropic's stream, in its order."""
        self.stream("/v1/messages")
        self.clock.pump([0] + [1] * 12)
        names = [line[7:] for line in self.transport.value().decode().split("\n") if line.startswith("event: ")]
        self.assertEqual(names[-2:], ["message_delta", "message_stop"])
        self.assertIn(b"event: message_start", self.transport.value())
        self.assertEqual(names.count("content_block_delta"), 3)
