"""Exchanges whose parameters are checked, from the bytes of a client to those of upstream and back, in memory."""

from __future__ import annotations

import gzip
import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core import websocket
from llmproxy.core.websocket import CLOSE, TEXT, FrameReader

from .harness import SECRET, Exchange, a_request

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FORM = b"Content-Type: multipart/form-data; boundary=xYz"
PART = b'--xYz\r\nContent-Disposition: form-data; name="%b"\r\n\r\n'
LINE = json.dumps({"custom_id": "1", "url": "/v1/chat/completions", "body": {"model": "ok"}}).encode() + b"\n"


def upload(model: bytes, lines: int) -> bytes:
    """A batch file whose last line is for C{model}."""
    head = PART % b"purpose" + b"batch\r\n" + PART % b'file"; filename="b.jsonl'
    return head + LINE * lines + LINE.replace(b"ok", model) + b"\r\n--xYz--\r\n"


class CheckedExchangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange(param_whitelist={"model": ["ok"]}, dialect="openai", allowed_endpoints=["/"])
        self.client = self.exchange.client()

    def send(self, data: bytes, size: int = 65536) -> None:
        for at in range(0, len(data), size):
            self.client.receive(data[at : at + size])
            self.exchange.turn()

    def refusal(self) -> tuple[int, str]:
        """The status and code that the client got."""
        head, _, content = self.client.sent.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(content)["error"]["code"]

    def test_batch_file(self) -> None:
        """A bad line breaks the upload: the client gets a 400, upstream's connection is aborted without its end."""
        content = upload(b"evil", 5000)
        self.send(a_request(b"/v1/files", FORM, body=content))
        self.exchange.turn(0.2)
        self.assertEqual(self.refusal(), (400, "param_not_allowed"))
        [upstream] = self.exchange.upstream
        self.assertEqual(upstream.state, "aborted")
        self.assertNotIn(b"evil", upstream.sent)
        self.assertNotIn(b"--xYz--", upstream.sent)
        self.assertIn(LINE * 100, upstream.sent)
        [record] = self.exchange.records
        self.assertEqual((record.status, record.error_code, record.ended), (400, "param_not_allowed", "refused"))
        self.assertTrue(self.exchange.idle())

    def test_chunked_batch_file(self) -> None:
        """So it is where the length is not known: the last chunk is never said."""
        self.send(a_request(b"/v1/files", FORM, b"Transfer-Encoding: chunked", method=b"POST"))
        for content in (upload(b"evil", 0)[:-12], b"\r\n--xYz--\r\n"):
            self.send(b"%x\r\n%b\r\n" % (len(content), content))
        self.exchange.turn(0.2)
        self.assertEqual(self.refusal(), (400, "param_not_allowed"))
        self.assertEqual([socket.state for socket in self.exchange.upstream], ["aborted"])

    def test_good_batch_file(self) -> None:
        """A good one reaches upstream byte for byte, whatever its size."""
        content = upload(b"ok", 20_000)
        self.send(a_request(b"/v1/files", FORM, body=content))
        [upstream] = self.exchange.upstream
        self.assertTrue(upstream.sent.endswith(content))
        upstream.receive(ANSWER)
        self.exchange.turn()
        self.assertTrue(self.client.sent.endswith(b"ok"))
        self.assertEqual(self.exchange.inspection.budget.used, 0)

    def test_left(self) -> None:
        """A client that leaves in the middle of an upload leaves nothing behind."""
        content = upload(b"ok", 100)
        self.send(a_request(b"/v1/files", FORM, body=content)[:-50])
        self.client.close()
        self.exchange.turn(0.2)
        self.assertEqual([socket.state for socket in self.exchange.upstream], ["aborted"])
        self.assertEqual(self.exchange.inspection.budget.used, 0)
        self.assertTrue(self.exchange.idle())

    def test_small_form(self) -> None:
        """Of a small form that is refused upstream has nothing at all."""
        content = PART % b"model" + b"evil\r\n--xYz--\r\n"
        self.send(a_request(b"/v1/audio/transcriptions", FORM, body=content))
        self.exchange.turn(0.2)
        self.assertEqual(self.refusal(), (400, "param_not_allowed"))
        self.assertEqual([socket.sent for socket in self.exchange.upstream], [b""])

    def test_breaker(self) -> None:
        """Refused uploads say nothing of upstream: its circuit stays closed."""
        content = PART % b"model" + b"evil\r\n--xYz--\r\n"
        for _ in range(10):
            self.client.take()
            self.send(a_request(b"/v1/audio/transcriptions", FORM, body=content))
            self.exchange.turn(0.2)
            self.assertEqual(self.refusal(), (400, "param_not_allowed"))
            if self.client.state != "open":
                self.client = self.exchange.client()

    def test_coded(self) -> None:
        """A coded body reaches upstream as it came, when what is in it is allowed."""
        for model, status in ((b"ok", 200), (b"evil", 400)):
            client = self.client = self.exchange.client()
            content = gzip.compress(b'{"model":"%b","x":"%b"}' % (model, b"x" * 200_000))
            self.send(a_request(b"/v1/x", b"Content-Encoding: gzip", b"Content-Type: application/json", body=content))
            self.exchange.turn(0.2)
            if status == 200:
                self.assertTrue(self.exchange.upstream[-1].sent.endswith(content), model)
                self.exchange.upstream[-1].receive(ANSWER)
                self.exchange.turn()
            self.assertTrue(client.sent.startswith(b"HTTP/1.1 %d" % status), model)

    def test_trickle(self) -> None:
        """A byte each few seconds does not keep a body that is held back."""
        content = b'{"model":"ok"}' + b" " * 100
        request = a_request(b"/v1/x", b"Content-Type: application/json", body=content)
        head = len(request) - len(content)
        self.send(request[: head + 1])
        for at in range(head + 1, head + 10):
            self.exchange.turn(3.0)
            self.client.receive(request[at : at + 1])
        self.assertEqual(self.refusal(), (408, "request_timeout"))

    def test_path(self) -> None:
        """A model in the path is refused before a connection to upstream is opened."""
        self.send(a_request(b"/openai/deployments/evil/chat/completions", body=b"{}"))
        self.assertEqual(self.refusal(), (400, "param_not_allowed"))
        self.assertEqual(self.exchange.upstream, [])

    def test_websocket(self) -> None:
        """A message that is not allowed ends a WebSocket with an event and a close frame; upstream never has it."""
        head = (
            b"GET /v1/responses HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer " + SECRET + b"\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        self.send(head)
        [upstream] = self.exchange.upstream
        self.assertNotIn(b"permessage-deflate", upstream.take())
        upstream.receive(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        self.exchange.turn()
        self.client.take()
        good = websocket.frame(TEXT, b'{"type":"response.create","model":"ok"}', mask=True)
        self.send(good)
        self.assertEqual(upstream.take(), good)
        self.send(good + websocket.frame(TEXT, b'{"model":"evil"}', mask=True))
        self.exchange.turn(0.2)
        self.assertTrue(upstream.sent.startswith(good))
        [left] = list(FrameReader("client").feed(upstream.sent[len(good) :]))
        self.assertEqual(left.frame.opcode, CLOSE)
        frames = [(part.frame.opcode, part.payload) for part in FrameReader("server").feed(self.client.sent)]
        self.assertEqual([opcode for opcode, _ in frames], [TEXT, CLOSE])
        self.assertEqual(json.loads(frames[0][1])["error"]["code"], "param_not_allowed")
        self.assertEqual(frames[1][1][:2], (1008).to_bytes(2, "big"))
        self.assertNotEqual((self.client.state, upstream.state), ("open", "open"))
        self.assertTrue(self.exchange.idle())
