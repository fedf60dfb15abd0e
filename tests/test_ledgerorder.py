"""
The order of the ledger and the wire: what a client can believe to have ended stands in the file already.

The file is read whenever the proxy writes to its client: what stands there then is what another process finds if this
one is killed the moment after.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.model import CacheConfig

from .harness import SECRET, Exchange, a_request
from .ledgercase import Http1Answers, Http2Answers, client_of, found_in, ledger_in
from .tables import row

JSON = b"Content-Type: application/json\r\n"
USED = b'{"model":"m-1","usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}'
LAST = b'data: {"model":"m-1","usage":{"prompt_tokens":7,"completion_tokens":5}}\n\ndata: [DONE]\n\n'
EVENTS = b'data: {"choices":[]}\n\n' + LAST


def sized(body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + JSON + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(*pieces: bytes, kind: bytes = b"text/event-stream", trailer: bytes = b"") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n" + trailer + b"\r\n"


CACHEABLE = b"Cache-Control: public, max-age=60\r\n"
ANSWERS = {
    "a length": sized(USED),
    "a length, stored": sized(USED, CACHEABLE),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "an empty one": sized(b""),
    "chunks": chunked(EVENTS[:30], EVENTS[30:]),
    "chunks and trailers": chunked(EVENTS, trailer=b"X-T: 1\r\n"),
    "chunks, of no stream": chunked(USED, kind=b"application/json"),
    "an error": b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\n\r\n{}",
}
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\n" + USED
BODY = b'{"model":"m-1"}'
REQUEST = a_request(b"/v1/chat/completions", b"Content-Type: application/json", body=BODY)
STORED = REQUEST.replace(b"\r\n\r\n", b"\r\nCache-Control: public, max-age=3600\r\n\r\n")
GET = a_request(b"/v1/models")
FIELDS = [
    (":method", "POST"),
    (":path", "/v1/chat/completions"),
    (":scheme", "https"),
    (":authority", "proxy"),
    ("authorization", f"Bearer {SECRET.decode()}"),
    ("content-type", "application/json"),
    ("content-length", str(len(BODY))),
]


class LedgerOrderTests(SynchronousTestCase):
    def exchange(self, **settings: Any) -> Exchange:
        self.directory = self.mktemp()
        self.ledger = ledger_in(self.directory)
        self.addCleanup(self.ledger.journal.close)
        return Exchange(ledger=self.ledger, dialect="openai", **settings)

    def wrote(self, answers: Any, data: bytes) -> None:
        """The proxy writes to the client: what the client has then, the file has had before."""
        answers.feed(data)
        _, ended = found_in(self.directory)
        self.assertGreaterEqual(len(ended), answers.complete)

    def answer(self, exchange: Exchange, answer: bytes, piece: int, *, closes: bool = False) -> None:
        [upstream] = exchange.upstream
        for start in range(0, len(answer), piece):
            upstream.receive(answer[start : start + piece])
            exchange.turn()
        if closes:
            upstream.close()
            exchange.turn()

    def ended(self) -> Any:
        replay, ended = found_in(self.directory)
        self.assertEqual(replay.open, {})
        [entry] = ended
        return entry

    def test_http1(self) -> None:
        """Over HTTP/1.1, however the answer is framed and wherever upstream's writes are cut."""
        for name, answer in ANSWERS.items():
            for piece in (1, 7, 10_000):
                for cached in (False, True):
                    with row((name, piece, cached)):
                        exchange = self.exchange(cached=cached, cache=CacheConfig(post="opt_in"))
                        answers = Http1Answers()
                        client = client_of(exchange, lambda data, answers=answers: self.wrote(answers, data))  # type: ignore[misc]
                        client.receive(STORED if "stored" in name else REQUEST)
                        self.assertEqual(len(found_in(self.directory)[0].open), 1)
                        self.answer(exchange, answer, piece)
                        self.assertEqual(answers.complete, 1)
                        entry = self.ended()
                        self.assertEqual((entry.ending, entry.counted), ("complete", True))
                        if USED in answer or b"data:" in answer:
                            self.assertEqual((entry.input_tokens, entry.output_tokens), (7, 5))

    def test_until_close(self) -> None:
        """An answer that ends with the connection ends when that closes."""
        exchange = self.exchange()
        answers = Http1Answers()
        client = client_of(exchange, lambda data: self.wrote(answers, data))
        client.receive(REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"))
        self.answer(exchange, UNTIL_CLOSE, 7, closes=True)
        self.assertEqual(answers.complete, 1)
        self.assertEqual(self.ended().output_tokens, 5)

    def test_http2(self) -> None:
        """Over HTTP/2 it stands there before the end of the stream."""
        for name, answer in ANSWERS.items():
            for piece in (1, 10_000):
                with row((name, piece)):
                    exchange = self.exchange()
                    answers = Http2Answers()
                    # The connection is HTTP/2's from its first byte.
                    client = client_of(exchange, lambda data, answers=answers: self.wrote(answers, data))  # type: ignore[misc]
                    self.speak_http2(exchange, client, answers)
                    self.answer(exchange, answer, piece)
                    exchange.turn()
                    self.assertEqual(answers.complete, 1)
                    self.assertEqual(self.ended().ending, "complete")

    def speak_http2(self, exchange: Exchange, client: Any, answers: Http2Answers) -> None:
        client._protocol = exchange.site.http2_connection()
        client._protocol.makeConnection(client)
        client.receive(answers.request(FIELDS, BODY))
        exchange.turn()

    def test_from_the_cache(self) -> None:
        """A hit has ended before its head is written; it has used up nothing."""
        exchange = self.exchange(cached=True)
        answers = Http1Answers("GET")
        client = client_of(exchange, lambda data: self.wrote(answers, data))
        client.receive(GET)
        self.answer(exchange, sized(USED, CACHEABLE), 10_000)
        client.receive(GET)
        self.assertEqual(answers.complete, 2)
        _, ended = found_in(self.directory)
        self.assertEqual([(entry.cache, entry.counted) for entry in ended], [("uri-miss", True), ("hit", False)])

    def test_refused(self) -> None:
        """A refusal of a caller who is known is there too, one of nobody is not."""
        exchange = self.exchange()
        answers = Http1Answers()
        client = client_of(exchange, lambda data: self.wrote(answers, data))
        client.receive(a_request(b"/v2/none", body=b"{}"))
        self.assertEqual((answers.complete, self.ended().status), (1, 404))
        stranger = client_of(exchange, lambda data: None)
        stranger.receive(GET.replace(SECRET, b"sk-" + b"B" * 22))
        self.assertEqual(len(found_in(self.directory)[1]), 1)

    def test_broken(self) -> None:
        """An answer that breaks has ended as it did; so has one whose client leaves."""
        for name, happens in (("upstream", "upstream_failed"), ("client", "client_left")):
            with row(name):
                exchange = self.exchange()
                client = client_of(exchange, lambda data: None)
                client.receive(REQUEST)
                self.answer(exchange, sized(USED)[:-5], 10_000)
                (exchange.upstream[0] if name == "upstream" else client).close()
                exchange.turn()
                entry = self.ended()
                self.assertEqual((entry.ending, entry.counted), (happens, True))

    def test_never_sent(self) -> None:
        """What could not be sent is not counted, and nothing is owed for it."""
        exchange = self.exchange()
        exchange.refuses = True
        client_of(exchange, lambda data: None).receive(REQUEST)
        exchange.turn(1)
        entry = self.ended()
        self.assertEqual((entry.ending, entry.counted), ("upstream_failed", False))
        replay, _ = found_in(self.directory)
        self.assertEqual(sum(each.count for each in replay.uses.of("t")), 0)

    def test_leader_leaves(self) -> None:
        """
        One that has asked for what others wait for too, and leaves, has spent what it has: that stands in its record;
        what was used stands in that of the first that is still there.
        """
        exchange = self.exchange(cached=True, cache=CacheConfig(post="opt_in"))
        leader, other = (client_of(exchange, lambda data: None) for _ in range(2))
        for client in (leader, other):
            client.receive(STORED)
        leader.close()
        exchange.turn()
        self.answer(exchange, sized(USED, CACHEABLE), 10_000)
        exchange.turn()
        replay, ended = found_in(self.directory)
        self.assertEqual(replay.open, {})
        found = [(entry.ending, entry.counted, entry.output_tokens) for entry in ended]
        self.assertEqual(found, [("client_left", True, None), ("complete", False, 5)])
        self.assertEqual(sum(each.count for each in replay.uses.of("t")), 1)
