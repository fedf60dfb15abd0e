"""Tests for L{llmproxy.middleware.recordexchanges}."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.errors import (
    BadRequest,
    ContentTooLarge,
    InternalError,
    ProjectDeactivated,
    ProxyError,
    RequestBodyTimeout,
    TokenRevoked,
    UpstreamReset,
    UpstreamTimeout,
)
from llmproxy.message import ApiRequest, ApiResponse, Record
from llmproxy.middleware.recordexchanges import RecordExchanges, ending_of

from .fakes import HeldBody, Inner, Reader, a_request, a_response, an_api


class AccountTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.records: list[Record] = []
        self.account = RecordExchanges(self.clock, self.records.append)
        self.inner = Inner()
        self.body = HeldBody()

    def begin(self, request: ApiRequest | None = None) -> Deferred[ApiResponse]:
        return self.account.respond(request or a_request(), self.inner)

    def read(self, responding: Deferred[ApiResponse]) -> Deferred[None]:
        """Answer with a held body, and read it as the relay does."""
        self.inner.answer(a_response(200, self.body))
        body = self.successResultOf(responding).body
        assert body is not None
        self.reader = Reader()
        return body.startProducing(self.reader)

    def only(self) -> Record:
        [record] = self.records
        self.assertEqual(self.account.in_flight, 0)
        return record

    def test_complete(self) -> None:
        """A relayed answer is recorded once, at its end, with its sizes and times."""
        responding = self.begin()
        self.clock.advance(0.25)
        producing = self.read(responding)
        self.body.write(b"abc")
        self.clock.advance(1)
        self.body.write(b"de")
        self.assertEqual((self.records, self.account.in_flight), ([], 1))
        self.body.end()
        self.successResultOf(producing)
        record = self.only()
        self.assertEqual(
            (record.ended, record.status, record.bytes_out, record.first_byte, record.duration),
            ("complete", 200, 5, 0.25, 1.25),
        )
        self.assertEqual(self.reader.data, b"abcde")

    def sealing(self) -> list[tuple[str, int, bytes]]:
        """How each record was sealed: its ending, its size, and what the client had by then."""
        sealed: list[tuple[str, int, bytes]] = []

        def seal(record: Record) -> None:
            sealed.append((record.ended, record.bytes_out, self.reader.data))

        self.reader = Reader()
        self.account.seal = seal
        return sealed

    def test_sealed_before_the_last_piece(self) -> None:
        """A client that knows the length has all of it with the last piece: by then the record is sealed, once."""
        sealed = self.sealing()
        self.body = HeldBody(5)
        producing = self.read(self.begin())
        self.body.write(b"abc")
        self.body.write(b"de")
        self.assertEqual((self.reader.data, sealed), (b"abc", []))
        self.body.end()
        self.successResultOf(producing)
        self.assertEqual((self.reader.data, sealed), (b"abcde", [("complete", 5, b"abc")]))
        self.assertEqual(self.only().ended, "complete")

    def test_sealed_before_the_end(self) -> None:
        """One without a length has all pieces, and does not know that it was the last."""
        sealed = self.sealing()
        producing = self.read(self.begin())
        self.body.write(b"abc")
        self.body.end()
        self.successResultOf(producing)
        self.assertEqual(sealed, [("complete", 3, b"abc")])

    def test_left_with_the_last_piece(self) -> None:
        """A client that leaves when its answer was sealed has had it: that is what its record says, everywhere."""
        sealed = self.sealing()
        self.body = HeldBody(3)
        producing = self.read(self.begin())
        self.reader.write = lambda data: self.account.cut_all("shutdown")  # type: ignore[method-assign]
        self.body.write(b"abc")
        self.body.end()
        self.successResultOf(producing)
        self.assertEqual(([each[0] for each in sealed], self.only().ended), (["complete"], "complete"))

    def test_broken_before_the_last_piece(self) -> None:
        """A body that breaks after its last byte is broken: nobody gets a part that nobody vouches for."""
        sealed = self.sealing()
        self.body = HeldBody(3)
        producing = self.read(self.begin())
        self.body.write(b"abc")
        self.body.fail(UpstreamReset())
        self.failureResultOf(producing, UpstreamReset)
        self.assertEqual((self.reader.data, [each[0] for each in sealed]), (b"", ["upstream_failed"]))

    def test_request_body(self) -> None:
        """What the client sent is counted as it is read, and reaches upstream unchanged."""
        upload, upstream = HeldBody(3), Reader()
        responding = self.begin(a_request(body=upload))
        sent = self.inner.requests[0].body
        assert sent is not None
        self.assertEqual(sent.length, 3)
        sent.startProducing(upstream)
        upload.write(b"ab")
        upload.write(b"c")
        self.inner.answer(a_response(204))
        self.successResultOf(responding)
        self.assertEqual((self.only().bytes_in, upstream.data), (3, b"abc"))

    def test_no_body(self) -> None:
        """An answer without a body ends with its head."""
        responding = self.begin()
        self.inner.answer(a_response(304))
        self.successResultOf(responding)
        self.assertEqual((self.only().ended, self.records[0].status), ("complete", 304))

    def test_head_request(self) -> None:
        """An answer to HEAD is complete, though nobody reads its body."""
        responding = self.begin(a_request(b"HEAD"))
        self.inner.answer(a_response(200, BytesBody(b"an error, say")))
        body = self.successResultOf(responding).body
        assert body is not None
        body.stopProducing()
        self.assertEqual(self.only().ended, "complete")

    def test_left_before_head(self) -> None:
        """A client that leaves early stops the call, and is recorded as 499."""
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual(self.inner.cancelled, 1)
        self.assertEqual((self.only().ended, self.records[0].status), ("client_left", 499))

    def test_left_in_body(self) -> None:
        """A client that leaves mid-stream stops upstream; what it got so far is recorded."""
        producing = self.read(self.begin())
        self.body.write(b"abc")
        producing.cancel()
        self.failureResultOf(producing, CancelledError)
        self.assertEqual(self.body.calls, ["cancelled"])
        record = self.only()
        self.assertEqual((record.ended, record.status, record.bytes_out), ("client_left", 200, 3))

    def test_dropped_body(self) -> None:
        """A body that nobody began to read is recorded too."""
        responding = self.begin()
        self.inner.answer(a_response(200, self.body))
        body = self.successResultOf(responding).body
        assert body is not None
        body.stopProducing()
        self.assertEqual((self.only().ended, self.body.calls), ("client_left", ["stopped"]))

    def test_upstream_died(self) -> None:
        """An answer that upstream broke off is never recorded as complete."""
        producing = self.read(self.begin())
        self.body.fail(UpstreamReset(cause="cut_short"))
        self.failureResultOf(producing, UpstreamReset)
        self.assertEqual((self.only().ended, self.records[0].status), ("upstream_failed", 200))
        self.assertEqual(self.only().cause, "cut_short")

    def test_explained(self) -> None:
        """What was refused is recorded with the ending that the refusal has, when it has been told."""
        request = a_request()
        responding = self.begin(request)
        request.record.error_code, request.record.ended = "bad_request", "refused"
        self.inner.answer(a_response(400, BytesBody(b"no")))
        body = self.successResultOf(responding).body
        assert body is not None
        self.successResultOf(body.startProducing(Reader()))
        self.assertEqual((self.only().ended, self.records[0].error_code), ("refused", "bad_request"))

    def test_own_fault(self) -> None:
        """Whatever goes wrong, there is one record."""
        responding = self.begin()
        self.inner.fail(ZeroDivisionError())
        self.failureResultOf(responding, ZeroDivisionError)
        self.assertEqual(self.only().ended, "failed")

    def test_request_id(self) -> None:
        """An answer without an id gets ours; upstream's own stays as it is."""
        fields = [(b"Content-Type", b"text/plain")]
        responding = self.begin()
        self.inner.answer(a_response(204, fields=fields))
        answered = self.successResultOf(responding).fields
        date = (b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT")
        ours = [(b"X-Request-ID", b"r-1"), (b"request-id", b"r-1")]
        self.assertEqual(answered, [(b"Content-Type", b"text/plain"), *ours, date])
        self.assertEqual(fields, [(b"Content-Type", b"text/plain")], "the list may belong to a cache")
        for theirs, missing in (
            ((b"x-request-id", b"theirs"), [ours[1]]),
            ((b"Request-Id", b"theirs"), [ours[0]]),
        ):
            responding = self.begin()
            self.inner.answer(a_response(204, fields=[theirs, (b"date", b"today")]))
            self.assertEqual(
                self.successResultOf(responding).fields, [theirs, (b"date", b"today"), *missing], (theirs, missing)
            )

    def test_led_back(self) -> None:
        """What points to upstream points to where this client came, however often the same answer is given."""
        stored = [(b"Location", b"https://api.example/v1/files/1"), (b"Date", b"today")]
        api = an_api()
        for host, secure, mount, prefix, rewrites, expected in (
            (b"llm.example", False, b"", b"", True, b"http://llm.example/v1/files/1"),
            (b"llm.example:8443", True, b"/llm", b"/openai", True, b"https://llm.example:8443/llm/openai/v1/files/1"),
            (b"llm.example", True, b"", b"", False, b"https://api.example/v1/files/1"),
        ):
            request = a_request(fields=[(b"Host", host)], api=evolve(api, rewrites_locations=rewrites))
            request.secure, request.mount = secure, mount
            request.route = evolve(request.route, prefix=prefix)
            responding = self.account.respond(request, self.inner)
            self.inner.answer(a_response(201, fields=stored))
            self.assertEqual(
                self.successResultOf(responding).fields[0],
                (b"Location", expected),
                (host, secure, mount, prefix, rewrites),
            )
        self.assertEqual(stored[0][1], b"https://api.example/v1/files/1", "the list may belong to a cache")

    def test_cut(self) -> None:
        """At the end of a drain whatever still runs is cut, and says why."""
        waiting = self.begin()
        self.account.cut_all("shutdown")
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.only().ended, "shutdown")

    def test_cut_in_body(self) -> None:
        """A running stream is broken off, not ended as if it were whole."""
        producing = self.read(self.begin())
        self.account.cut_all("shutdown")
        self.failureResultOf(producing, CancelledError)
        self.assertEqual((self.only().ended, self.body.calls), ("shutdown", ["cancelled"]))

    def test_idle(self) -> None:
        """Who drains is told when the last exchange has ended."""
        self.successResultOf(self.account.idle())
        producing = self.read(self.begin())
        idle = self.account.idle()
        self.assertNoResult(idle)
        self.body.end()
        self.successResultOf(idle)
        self.successResultOf(producing)

    def test_backpressure(self) -> None:
        """A slow client's pauses reach upstream."""
        responding = self.begin()
        self.inner.answer(a_response(200, self.body))
        body = self.successResultOf(responding).body
        assert body is not None
        body.startProducing(Reader())
        body.pauseProducing()
        body.resumeProducing()
        self.assertEqual(self.body.calls, ["paused", "resumed"])


class EndingOfTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Each way to end has its name."""
        table: tuple[tuple[Exception, str], ...] = (
            (BadRequest(), "refused"),
            (ContentTooLarge(), "refused"),
            (RequestBodyTimeout(), "timeout"),
            (UpstreamTimeout("silence"), "timeout"),
            (UpstreamReset(), "upstream_failed"),
            (TokenRevoked(), "revoked"),
            (ProjectDeactivated(), "revoked"),
            (InternalError(), "failed"),
            (ProxyError(), "refused"),
            (CancelledError(), "client_left"),
            (ZeroDivisionError(), "failed"),
        )
        for error, ending in table:
            self.assertEqual(ending_of(error), ending, error)
