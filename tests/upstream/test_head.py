"""Tests for L{llmproxy.upstream.head}."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.upstream.head import KnownHead, MalformedRequest, request_head
from llmproxy.upstream.upload import BodyLengthMismatch

from ..properties import examples
from .wire import Body


@frozen
class Address:
    netloc: bytes = b"up.example"
    extra: bytes = b""
    prefix: bytes = b""


HEADS = [
    # fields, body, what follows the request line, section, length
    ([], None, b"Host: up.example\r\n", "9112 3.2", 0),
    ([(b"hOST", b"x")], None, b"hOST: x\r\n", "9110 7.2", 0),
    ([(b"A", b"1"), (b"a", b"2")], None, b"Host: up.example\r\nA: 1\r\na: 2\r\n", "9110 5.3", 0),
    ([], Body(3), b"Host: up.example\r\nContent-Length: 3\r\n", "9110 8.6", 3),
    ([], Body(0), b"Host: up.example\r\nContent-Length: 0\r\n", "9110 8.6", 0),
    ([], Body(), b"Host: up.example\r\nTransfer-Encoding: chunked\r\n", "9112 6.1", UNKNOWN_LENGTH),
    ([(b"content-length", b"3")], Body(3), b"Host: up.example\r\ncontent-length: 3\r\n", "9110 8.6", 3),
    ([(b"Content-Length", b"3")], Body(), b"Host: up.example\r\nContent-Length: 3\r\n", "9110 8.6", 3),
    ([(b"Content-Length", b"0")], None, b"Host: up.example\r\nContent-Length: 0\r\n", "9110 8.6", 0),
    ([(b"X", b"caf\xe9\t")], None, b"Host: up.example\r\nX: caf\xe9\t\r\n", "9110 5.5", 0),
]

MALFORMED = [
    # method, target, fields, section
    (b"GET", b"/\r\nX: y", [], "9112 2.2"),
    (b"GET", b"/ HTTP/1.1", [], "9112 3"),
    (b"GET /x", b"/", [], "9112 3"),
    (b"GET\n", b"/", [], "9112 2.2"),
    (b"GET", b"/\0", [], "9112 3.2"),
    (b"GET", b"/", [(b"A", b"b\r\nC: d")], "9112 11.1"),
    (b"GET", b"/", [(b"A", b"b\nC: d")], "9112 11.1"),
    (b"GET", b"/", [(b"A", b"b\rC: d")], "9112 2.2"),
    (b"GET", b"/", [(b"A\r\nB", b"c")], "9112 11.1"),
    (b"GET", b"/", [(b"A", b"b\0")], "9110 5.5"),
    (b"GET", b"/", [(b"transfer-ENCODING", b"chunked")], "9112 6.1"),
    (b"GET", b"/", [(b"Content-Length", b"0"), (b"content-length", b"0")], "9112 6.3"),
    (b"GET", b"/", [(b"Content-Length", b"+0")], "9110 8.6"),
    (b"GET", b"/", [(b"Content-Length", b"")], "9110 8.6"),
]


class RequestHeadTests(SynchronousTestCase):
    def head(self, method: bytes, target: bytes, fields: Any, body: Any = None, **address: bytes) -> Any:
        return request_head(method, target, fields, Address(**address), body)[:2]

    def test_heads(self) -> None:
        """Fields go out as they are and where they are; C{Host} and the framing are put in where they are missing."""
        for fields, body, rest, section, length in HEADS:
            head, announced = self.head(b"POST", b"/x?y", fields, body)
            self.assertEqual(head, b"POST /x?y HTTP/1.1\r\n" + rest + b"\r\n", section)
            self.assertEqual(announced, length, (fields, body, rest, section, length))

    def test_malformed(self) -> None:
        """Nothing that could be read as another request is sent."""
        for method, target, fields, section in MALFORMED:
            with self.assertRaises(MalformedRequest, msg=section):
                self.head(method, target, fields)

    def test_mismatch(self) -> None:
        """A length that is not the body's is not announced."""
        for body in (None, Body(2), Body(4)):
            with self.assertRaises(BodyLengthMismatch):
                self.head(b"POST", b"/", [(b"Content-Length", b"3")], body)

    def test_next_hop(self) -> None:
        """Lines for a proxy on the way come last."""
        head, _ = self.head(b"GET", b"http://up.example/", [(b"A", b"b")], extra=b"Proxy-Authorization: Basic x\r\n")
        self.assertTrue(head.endswith(b"A: b\r\nProxy-Authorization: Basic x\r\n\r\n"))

    @settings(max_examples=examples(100), deadline=None)
    @given(st.binary(max_size=8), st.binary(max_size=8), st.binary(max_size=8), st.binary(max_size=8))
    def test_one_head(self, method: bytes, target: bytes, name: bytes, value: bytes) -> None:
        """Whatever goes in, what comes out is one head of as many lines as it should have."""
        try:
            head, _ = self.head(method, target, [(name, value)])
        except (MalformedRequest, BodyLengthMismatch):
            return
        self.assertEqual(
            (head.index(b"\r\n\r\n"), head.count(b"\r"), head.count(b"\n")),
            (len(head) - 4,) + (3 + (name.lower() != b"host"),) * 2,
        )


class KnownHeadTests(SynchronousTestCase):
    """A head that was written before is written again with what is each request's own, and as L{request_head} would."""

    ASKED = (b"POST", b"/v1?a=b", b"HTTP/1.1")
    ADDRESSES = (Address(), Address(prefix=b"http://up.example", extra=b"Proxy-Authorization: x\r\n"))

    def both(self, address: Address, fields: Any, other: Any, body: Any, *own: Any, measured: bool, ids: bool) -> None:
        """@param other: the fields of another request with the same head; C{own} is what it has of its own."""
        known = KnownHead(self.ASKED, b"/v1?a=b", b"/deep", fields, address, measured, ids)
        target = address.prefix + b"/deep/v1?a=b"
        self.assertEqual(known.head(*own, body), request_head(b"POST", target, other, address, body))

    def test_same(self) -> None:
        """With a length of its own, an id of its own, both and none; whatever stands between, and with any body."""
        for address in self.ADDRESSES:
            for first in ([], [(b"hOST", b"x")], [(b"Expect", b"100-continue"), (b"A", b"")]):
                for last in ([], [(b"Via", b"1.1 a")]):
                    self._with(address, first, last)

    def _with(self, address: Address, first: list[Any], last: list[Any]) -> None:
        ids = [*last, (b"X-Request-ID", b"id-1")]
        other = [*last, (b"X-Request-ID", b"id-2")]
        lengths = [*first, (b"content-Length", b"3")], [*first, (b"content-Length", b"12")]
        for body in (Body(12), Body()):
            self.both(address, lengths[0] + ids, lengths[1] + other, body, b"12", "id-2", measured=True, ids=True)
            self.both(address, lengths[0] + last, lengths[1] + last, body, b"12", "", measured=True, ids=False)
        for body in (None, Body(0), Body(5), Body()):
            self.both(address, first + ids, first + other, body, b"", "id-2", measured=False, ids=True)
            if first + last:
                self.both(address, first + last, first + last, body, b"", "", measured=False, ids=False)
        for body in (Body(3), Body()):
            self.both(address, lengths[0] + ids, lengths[0] + other, body, b"", "id-2", measured=False, ids=True)

    def test_refused(self) -> None:
        """What L{request_head} refuses is refused: another length than the body's, and an id with a line break."""
        known = KnownHead(
            self.ASKED, b"/", b"", [(b"Content-Length", b"3"), (b"X-Request-ID", b"a")], Address(), True, True
        )
        self.assertRaises(BodyLengthMismatch, known.head, b"4", "a", Body(3))
        for wrong in ("a\r\nX: y", "a\n", "\0", "\r"):
            with self.assertRaises(MalformedRequest, msg=wrong):
                known.head(b"3", wrong, Body(3))

    def test_no_place(self) -> None:
        """Where there is no one length, its digits cannot change."""
        for fields in ([], [(b"A", b"b")], [(b"Content-Length", b"3")] * 2):
            with self.assertRaises(ValueError):
                KnownHead(self.ASKED, b"/", b"", fields, Address(), True, False)
