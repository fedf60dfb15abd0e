"""A record of every exchange, at any place in a chain."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.composition import chain
from llmproxy.errors import RateLimitExceeded, UpstreamReset
from llmproxy.message import ApiRequest, ApiResponse, Record
from llmproxy.middleware.observation import ObserveExchanges

from .fakes import HeldBody, Inner, Reader, a_request, a_response


class ObservationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.inner = Clock(), Inner()
        self.records: list[Record] = []
        self.observer = ObserveExchanges(self.clock.seconds, self.records.append)
        self.respond = chain(self.inner, self.observer)

    def test_stream(self) -> None:
        """An exchange is over with its body, and what has passed is counted."""
        upload, answer = HeldBody(), HeldBody()
        request = a_request(body=upload)
        responding = self.respond(request)
        assert request.body is not None
        request.body.startProducing(Reader())  # type: ignore[arg-type]
        upload.write(b"12345")
        self.clock.advance(1)
        self.inner.answer(a_response(200, answer))
        response = self.successResultOf(responding)
        response.body.startProducing(Reader())  # type: ignore[union-attr,arg-type]
        answer.write(b"123")
        self.clock.advance(2)
        self.assertEqual(self.records, [])
        answer.end()
        (record,) = self.records
        self.assertEqual((record.status, record.ended, record.bytes_in, record.bytes_out), (200, "complete", 5, 3))
        self.assertEqual((record.first_byte, record.duration), (1.0, 3.0))
        self.assertEqual(request.record.status, 0)

    def test_endings(self) -> None:
        """However it ends, there is one record that says how."""
        for error, status, ended, code in (
            (RateLimitExceeded(), 429, "refused", "rate_limit_exceeded"),
            (UpstreamReset(), 502, "upstream_failed", "upstream_reset"),
            (OSError("own"), 500, "failed", ""),
        ):
            with self.subTest(error=error):
                responding = self.respond(a_request())
                self.inner.fail(error)
                self.failureResultOf(responding)
                record = self.records.pop()
                self.assertEqual(
                    (record.status, record.ended, record.error_code),
                    (status, ended, code),
                    (error, status, ended, code),
                )
                self.assertEqual(self.records, [], (error, status, ended, code))

    def test_client_leaves(self) -> None:
        """A client that leaves before the head, or in the body, is recorded as that."""
        responding = self.respond(a_request())
        responding.cancel()
        self.failureResultOf(responding)
        self.assertEqual([(each.status, each.ended) for each in self.records], [(499, "client_left")])
        responding, body = self.respond(a_request()), HeldBody()
        self.inner.pending.pop(0)
        self.inner.answer(a_response(200, body))
        self.successResultOf(responding).body.stopProducing()  # type: ignore[union-attr]
        self.assertEqual((self.records[1].status, self.records[1].ended), (200, "client_left"))
        self.assertEqual(body.calls, ["stopped"])

    def test_no_content(self) -> None:
        """What has no body ends with its head, an answer to HEAD too; a body at hand is counted."""
        for method, body, size in ((b"GET", None, 0), (b"HEAD", HeldBody(), 0), (b"GET", BytesBody(b"1234"), 4)):
            with self.subTest(method=method, body=body):
                responding = self.respond(a_request(method, body=BytesBody(b"12")))
                self.inner.answer(a_response(200, body))
                response = self.successResultOf(responding)
                if size:
                    response.body.startProducing(Reader())  # type: ignore[union-attr,arg-type]
                (record,) = self.records
                self.records.clear()
                self.assertEqual(
                    (record.bytes_in, record.bytes_out, record.ended), (2, size, "complete"), (method, body, size)
                )

    def test_several(self) -> None:
        """Several of them in one chain see the same, and each once."""
        respond = chain(self.inner, self.observer, ObserveExchanges(self.clock.seconds, self.records.append))
        responding = respond(a_request(body=BytesBody(b"12")))
        self.inner.answer(a_response(200, BytesBody(b"123")))
        self.successResultOf(responding).body.startProducing(Reader())  # type: ignore[union-attr,arg-type]
        self.assertEqual([(each.bytes_in, each.bytes_out) for each in self.records], [(2, 3), (2, 3)])

    def test_broken_observer(self) -> None:
        """An observer that fails is reported, and hurts no exchange."""

        def broken(record: Record) -> None:
            raise OSError("full")

        def respond(request: ApiRequest) -> Deferred[ApiResponse]:
            return fail(RateLimitExceeded())

        responding = chain(respond, ObserveExchanges(self.clock.seconds, broken))(a_request())
        self.failureResultOf(responding, RateLimitExceeded)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_responder_raises(self) -> None:
        """A responder that raises instead of failing is seen too."""

        def respond(request: ApiRequest) -> Deferred[ApiResponse]:
            raise RateLimitExceeded()

        self.failureResultOf(chain(respond, self.observer)(a_request()), RateLimitExceeded)
        self.assertEqual([each.status for each in self.records], [429])
