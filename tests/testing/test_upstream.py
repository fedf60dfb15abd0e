"""An upstream that the test answers for."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.testing import MemoryProxy
from tests.middleware.fakes import HeldBody


class HeldUpstreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.proxy = MemoryProxy()
        self.upstream = self.proxy.upstream

    def test_none(self) -> None:
        """A call that did not come is a failure that says how many there were."""
        self.assertIn("0 times", str(self.assertRaises(AssertionError, self.upstream.next)))

    def test_in_order(self) -> None:
        """Each call is given out once."""
        for path in ("/v1/a", "/v1/b"):
            self.proxy.request("GET", path)
        self.assertEqual([self.upstream.next().url[-1], self.upstream.next().url[-1]], ["a", "b"])
        self.assertRaises(AssertionError, self.upstream.next)

    def test_fields(self) -> None:
        """Fields are seen as they would go on the wire: order, case, repeats."""
        self.proxy.request("GET", "/v1/a", fields=[(b"X-b", b"1"), (b"x-A", b"2"), (b"X-b", b"3")])
        fields = [pair for pair in self.upstream.next().fields if pair[0].lower() in (b"x-a", b"x-b")]
        self.assertEqual(fields, [(b"X-b", b"1"), (b"x-A", b"2"), (b"X-b", b"3")])

    def test_failures(self) -> None:
        """A connection that is refused, or breaks within an answer."""
        answer = self.proxy.request("GET", "/v1/a")
        self.upstream.next().fail(ConnectionRefusedError())
        self.assertEqual((answer.status, answer.json()["code"]), (502, "upstream_unreachable"))
        answer = self.proxy.request("GET", "/v1/a")
        call = self.upstream.next()
        call.head(200)
        call.write_answer(b"half")
        call.fail(ConnectionLost())
        self.assertEqual((answer.status, answer.body, answer.ended), (200, b"half", True))
        self.assertIsNotNone(answer.failure)

    def test_wrong(self) -> None:
        """A test that answers as no upstream could is told so."""
        self.proxy.request("GET", "/v1/a")
        call = self.upstream.next()
        self.assertRaises(AssertionError, call.write_answer, b"before the head")
        call.head(200, length=2)
        self.assertRaises(AssertionError, call.end)
        call.write_answer(b"1")
        self.assertRaises(AssertionError, call.write_answer, b"23")

    def test_cancelled(self) -> None:
        """It is seen that a client has left, before the head and in the body."""
        for with_head in (False, True):
            with self.subTest(with_head=with_head):
                answer = self.proxy.request("GET", "/v1/a")
                call = self.upstream.next()
                if with_head:
                    call.head(200)
                answer.leave()
                self.assertTrue(call.cancelled, with_head)
                call.write_answer(b"late")
                call.end()
                self.assertEqual(answer.body, b"", with_head)

    def test_upload(self) -> None:
        """A request's body comes piece by piece, and an answer may come before its end."""
        body = HeldBody()
        answer = self.proxy.request("POST", "/v1/a", body=body)
        call = self.upstream.next()
        body.write(b"12")
        self.assertEqual((call.body, call.body_ended), (b"12", False))
        body.write(b"34")
        body.end()
        self.assertEqual((call.body, call.body_ended), (b"1234", True))
        call.answer(201, b"x")
        self.assertEqual((answer.status, answer.body), (201, b"x"))

    def test_abandoned_upload(self) -> None:
        """A client that leaves within its upload ends it."""
        body = HeldBody()
        answer = self.proxy.request("POST", "/v1/a", body=body)
        answer.leave()
        self.assertTrue(self.upstream.next().cancelled)
        self.assertTrue(body.calls)
