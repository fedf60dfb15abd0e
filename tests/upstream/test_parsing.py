"""Responses out of bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.errors import UpstreamProtocolError
from llmproxy.upstream.parsing import LARGE, ResponseReader

from ..properties import examples

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def read(*pieces: bytes, to_head: bool = False, closed: bool = False, limit: int = 65_536) -> dict[str, Any]:
    """What is known when all of C{pieces} have come."""
    reader = ResponseReader(limit)
    reader.begin(to_head)
    content: list[bytes] = []
    interims: list[Any] = []
    for piece in pieces:
        reader.feed(piece)
        content.append(reader.content)
        interims += reader.interims
        reader.interims = []
    if closed:
        reader.end()
    return {
        "status": reader.status,
        "reason": reader.reason,
        "fields": reader.fields,
        "length": reader.length,
        "content": b"".join(content),
        "trailers": reader.trailers,
        "interims": interims,
        "headed": reader.headed,
        "complete": reader.complete,
        "keep_alive": reader.keep_alive,
        "bodiless": reader.bodiless,
    }


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """C{data} in pieces."""
    edges = sorted({0, len(data), *(each % (len(data) + 1) for each in at)})
    return [data[start:end] for start, end in pairwise(edges)]


GOOD = {
    "length": OK + b"Content-Length: 5\r\nX-A:  b c \t\r\nx-a:\r\n\r\nhello",
    "chunks": CHUNKED + b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-T: 1\r\nX-U: \r\n\r\n",
    "interims": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    + OK
    + b"Content-Length: 2\r\n\r\nok",
    "nothing": b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    "not modified": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 9\r\n\r\n',
    "no reason": b"HTTP/1.1 429 \r\nContent-Length: 0\r\n\r\n",
    "odd reason": b"HTTP/1.1 200 M\xc3\xb6glich\twohl\r\nContent-Length: 0\r\n\r\n",
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
}

BAD = {
    "both framings": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both framings, otherwise": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": OK + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": OK + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": OK + b"Content-Length: -3\r\n\r\nabc",
    "an endless length": OK + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "an empty length": OK + b"Content-Length:\r\n\r\n",
    "an unknown coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding that is nearly chunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, chunked": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n\r\n",
    "a chunk without a size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a sign": CHUNKED + b"-1\r\n\r\n",
    "a chunk size with a prefix": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk size that is no number": CHUNKED + b"g\r\nhello\r\n0\r\n\r\n",
    "a chunk size that overflows": CHUNKED + b"fffffffffffffffff\r\n",
    "a chunk that is longer than it says": CHUNKED + b"3\r\nhello\r\n0\r\n\r\n",
    "a chunk that ends with LF": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "framing in trailers": CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "length in trailers": CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
    "a folded trailer": CHUNKED + b"0\r\nX: 1\r\n 2\r\n\r\n",
    "a folded line": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": OK + b"X : a\r\nContent-Length: 0\r\n\r\n",
    "a space before the name": OK + b" X: a\r\nContent-Length: 0\r\n\r\n",
    "a line without a colon": OK + b"X\r\nContent-Length: 0\r\n\r\n",
    "an empty name": OK + b": a\r\nContent-Length: 0\r\n\r\n",
    "NUL in a value": OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "bare CR in a value": OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    "bare LF after a value": OK + b"X: a\nContent-Length: 0\r\n\r\n",
    "bare LF after the status line": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "bare CR in the reason": b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2 in words": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2 that is kept": b"HTTP/2.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9 in words": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a status below 100": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "lower case": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTML alone": b"<html>hello</html>",
    "an upgrade": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "an upgrade to nothing": b"HTTP/1.1 101 Switching\r\n\r\n",
}

EXCESS = {
    "a second response": (OK + b"Content-Length: 0\r\n\r\n") * 2,
    "more than the length": OK + b"Content-Length: 2\r\n\r\nokay",
    "more after close": OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nokay",
    "content in a 204": b"HTTP/1.1 204 No Content\r\n\r\nhello",
    "content in a 304": b"HTTP/1.1 304 Not Modified\r\n\r\nhello",
}


class ReadingTests(SynchronousTestCase):
    def test_head(self) -> None:
        """Fields arrive in order, with their case and repeats, white space around the values gone."""
        result = read(GOOD["length"])
        self.assertEqual(
            (200, b"OK", [(b"Content-Length", b"5"), (b"X-A", b"b c"), (b"x-a", b"")], 5, b"hello", True, True),
            tuple(
                result[name] for name in ("status", "reason", "fields", "length", "content", "complete", "keep_alive")
            ),
        )

    def test_chunks(self) -> None:
        """Chunked content loses its framing and nothing else; its trailers are told."""
        result = read(GOOD["chunks"])
        self.assertEqual(
            (UNKNOWN_LENGTH, b"hello world", [(b"X-T", b"1"), (b"X-U", b"")], True),
            (result["length"], result["content"], result["trailers"], result["complete"]),
        )

    def test_hop_by_hop_trailers(self) -> None:
        """A trailer that belongs to the connection goes nowhere."""
        self.assertEqual([(b"A", b"b")], read(CHUNKED + b"0\r\nConnection: x\r\nA: b\r\nTE: x\r\n\r\n")["trailers"])

    def test_interims(self) -> None:
        """Early hints are told, 100 is not, and the response is the one after them."""
        result = read(GOOD["interims"])
        self.assertEqual([(100, b"Continue", []), (103, b"Early Hints", [(b"Link", b"</a>")])], result["interims"])
        self.assertEqual((200, b"ok"), (result["status"], result["content"]))

    def test_interim_of_an_old_server(self) -> None:
        """An interim response that says it closes does not end the exchange."""
        for line in (b"HTTP/1.0 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\nConnection: close\r\n\r\n"):
            self.assertEqual(b"hello", read(line + GOOD["length"])["content"], line)

    def test_bodiless(self) -> None:
        """204 and 304 have no content, whatever their fields say."""
        for name in ("nothing", "not modified"):
            result = read(GOOD[name])
            self.assertEqual(
                (True, True, 0, True), tuple(result[k] for k in ("complete", "bodiless", "length", "keep_alive")), name
            )

    def test_head_request(self) -> None:
        """The answer to HEAD ends with its head, however it is framed, and the next answer is read afresh."""
        for framing in (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""):
            reader = ResponseReader()
            for _ in range(2):
                reader.begin(True)
                reader.feed(OK + framing + b"\r\n")
                self.assertEqual((True, True, True), (reader.complete, reader.bodiless, reader.keep_alive), framing)
            reader.begin(False)
            reader.feed(GOOD["length"])
            self.assertEqual(b"hello", reader.content, framing)

    def test_head_request_that_closes(self) -> None:
        """Connection fields count for HEAD too."""
        for response in (OK + b"Connection: x, Close\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"):
            self.assertFalse(read(response, to_head=True)["keep_alive"], response)

    def test_content_for_head(self) -> None:
        """Content after the answer to HEAD is not read, and nothing after it either."""
        result = read(GOOD["length"], to_head=True)
        self.assertEqual((result["complete"], result["content"], result["keep_alive"]), (True, b"", False))

    @settings(max_examples=examples(60), deadline=None)
    @given(
        st.lists(st.integers(0, LARGE + 2000), max_size=5),
        st.sampled_from([b"", b"x", GOOD["length"]]),
        st.sampled_from([LARGE - 1, LARGE, LARGE + 1000]),
        st.booleans(),
    )
    def test_large(self, at: list[int], more: bytes, size: int, closes: bool) -> None:
        """
        A large body is the same in whatever pieces it comes; what follows it unasked is not read and ends the
        connection, and otherwise the next answer is read afresh.
        """
        body = (b"HTTP/1.1 404 Not Found\r\n\r\n" * (size // 20))[:size]
        connection = b"Connection: close\r\n" if closes else b""
        whole = OK + connection + b"Content-Length: %d\r\n\r\n" % size + body
        reader = ResponseReader()
        reader.begin(False)
        content, came = b"", 0
        for piece in cut(whole + more, at):
            self.assertEqual(reader.complete, False, piece)
            reader.feed(piece)
            content += reader.content
            came += len(piece)
            if reader.complete:
                break
        self.assertTrue(content == body and reader.complete)
        self.assertEqual(reader.keep_alive, not closes and came == len(whole))
        if reader.keep_alive:
            reader.begin(False)
            reader.feed(GOOD["length"])
            self.assertEqual((reader.content, reader.complete, reader.keep_alive), (b"hello", True, True))

    def test_large_cut(self) -> None:
        """Nor is a large body complete before its last byte."""
        head = OK + b"Content-Length: %d\r\n\r\n" % LARGE
        for sent in (1, LARGE // 2, LARGE - 1):
            self.assertFalse(read(head, bytes(sent), closed=True)["complete"], sent)

    def test_large_for_head(self) -> None:
        """What a length says of an answer to HEAD, or of a 304, is no content to wait for."""
        length = b"Content-Length: %d\r\n\r\n" % LARGE
        self.assertTrue(read(OK + length, to_head=True)["complete"])
        self.assertTrue(read(b"HTTP/1.1 304 Not Modified\r\n" + length)["complete"])

    def test_passed_on_as_it_is(self) -> None:
        """Each piece of a large body is the very bytes that were read."""
        reader = ResponseReader()
        reader.begin(False)
        reader.feed(OK + b"Content-Length: %d\r\n\r\n" % LARGE)
        piece = bytes(LARGE // 2)
        for _ in range(2):
            reader.feed(piece)
            self.assertIs(reader.content, piece)
        self.assertTrue(reader.complete)

    def test_until_close(self) -> None:
        """Without framing the content ends with the connection, and only then."""
        self.assertEqual(
            (False, b"some"), (read(OK + b"\r\nso", b"me")["complete"], read(OK + b"\r\nso", b"me")["content"])
        )
        result = read(OK + b"\r\nso", b"me", closed=True)
        self.assertEqual((True, False), (result["complete"], result["keep_alive"]))

    def test_cut(self) -> None:
        """The end of the connection does not complete a response that says where it ends."""
        for response in (OK + b"Content-Length: 5\r\n\r\nhell", CHUNKED + b"5\r\nhello\r\n", OK + b"X: y\r\n", b""):
            self.assertFalse(read(response, closed=True)["complete"], response)

    def test_keep_alive(self) -> None:
        """The connection is kept as RFC 9112 section 9.3 has it."""
        table = [
            (b"HTTP/1.1", b"", True),
            (b"HTTP/1.1", b"Connection: close\r\n", False),
            (b"HTTP/1.1", b"Connection: x, CLOSE\r\n", False),
            (b"HTTP/1.0", b"", False),
            (b"HTTP/1.0", b"Connection: keep-alive\r\n", True),
        ]
        self.assertFalse(read(CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n")["keep_alive"])
        for version, line, kept in table:
            self.assertIs(kept, read(version + b" 200 OK\r\n" + line + b"Content-Length: 0\r\n\r\n")["keep_alive"])

    def test_statuses_beyond_the_known(self) -> None:
        """A status that nobody defined is passed on."""
        for status in (299, 418, 599, 600, 999):
            self.assertEqual(status, read(b"HTTP/1.1 %d Odd\r\nContent-Length: 0\r\n\r\n" % status)["status"], status)

    def test_refused(self) -> None:
        """What could be read in two ways, or is no response, is refused."""
        for name, data in BAD.items():
            with self.assertRaises(UpstreamProtocolError, msg=name):
                read(data)

    def test_refused_without_foreign_words(self) -> None:
        """The client is not told what the parser thinks."""
        with self.assertRaises(UpstreamProtocolError) as caught:
            read(BAD["a space before the colon"])
        self.assertEqual("upstream's response is malformed", caught.exception.description)

    def test_large_head(self) -> None:
        """A header section is bounded, in one piece or in many."""
        head = OK + b"X: " + b"a" * 900 + b"\r\nY: " + b"b" * 900 + b"\r\nContent-Length: 0\r\n\r\n"
        self.assertTrue(read(head, limit=2000)["complete"])
        for pieces in ([head], cut(head, list(range(0, len(head), 10)))):
            with self.assertRaises(UpstreamProtocolError):
                read(*pieces, limit=1700)

    def test_endless_head(self) -> None:
        """A header line that never ends is not waited for."""
        with self.assertRaises(UpstreamProtocolError):
            read(OK + b"X: ", *[b"a" * 100] * 20, limit=1000)

    def test_endless_trailers(self) -> None:
        """Trailers are bounded too."""
        with self.assertRaises(UpstreamProtocolError):
            read(CHUNKED + b"0\r\n", *[b"X: aaaaaaaaaaaaaaaaaaaaaaaa\r\n"] * 100, limit=1000)

    def test_endless_chunk_extension(self) -> None:
        """An extension of a chunk is bounded like a header line."""
        with self.assertRaises(UpstreamProtocolError):
            read(CHUNKED + b"5;", *[b"a" * 100] * 20, limit=1000)

    def test_large_content(self) -> None:
        """The bounds are those of heads: content is not counted."""
        data = b"x" * 5000
        pieces = cut(CHUNKED + b"1388\r\n" + data + b"\r\n0\r\n\r\n", list(range(0, 5000, 100)))
        self.assertEqual(data, read(*pieces, limit=200)["content"])
        self.assertEqual(data, read(OK + b"Content-Length: 5000\r\n\r\n", *cut(data, [2500]), limit=200)["content"])


class SplitTests(SynchronousTestCase):
    @settings(max_examples=examples(60), deadline=None)
    @given(st.sampled_from(sorted(GOOD)), st.lists(st.integers(0, 400), max_size=12))
    def test_good(self, name: str, at: list[int]) -> None:
        """However the network cuts a response, the same one is read."""
        self.assertEqual(read(GOOD[name]), read(*cut(GOOD[name], at)))

    @settings(max_examples=examples(100), deadline=None)
    @given(st.sampled_from(sorted(BAD)), st.lists(st.integers(0, 400), max_size=12))
    def test_bad(self, name: str, at: list[int]) -> None:
        """However the network cuts it, a malformed response is refused."""
        with self.assertRaises(UpstreamProtocolError):
            read(*cut(BAD[name], at))

    @settings(max_examples=examples(60), deadline=None)
    @given(st.sampled_from(sorted(EXCESS)), st.lists(st.integers(0, 400), max_size=12))
    def test_excess(self, name: str, at: list[int]) -> None:
        """However the network cuts it, what follows a whole response changes nothing of it and ends the connection."""
        whole = read(EXCESS[name])
        self.assertEqual((whole["complete"], whole["keep_alive"]), (True, False))
        self.assertEqual(whole, read(*cut(EXCESS[name], at)))

    @settings(max_examples=examples(100), deadline=None)
    @given(st.sampled_from(sorted(GOOD)), st.integers(0, 400), st.binary(min_size=1, max_size=3))
    def test_mutated(self, name: str, at: int, junk: bytes) -> None:
        """Whatever comes, it is a response or it is refused."""
        data = GOOD[name]
        at %= len(data)
        try:
            read(data[:at] + junk + data[at + len(junk) :], closed=True)
        except UpstreamProtocolError:
            pass
