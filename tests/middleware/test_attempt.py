"""Tests for L{llmproxy.middleware.attempt}: what one attempt says of its upstream, and what it leaves."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.core.budget import Budget
from llmproxy.core.upstreamstate import UpstreamState
from llmproxy.errors import RequestBodyTimeout, UpstreamReset, UpstreamTimeout
from llmproxy.middleware.attempt import Attempt, Original, drop
from llmproxy.middleware.places import Place
from tests.tables import row

from .fakes import HeldBody, Reader, a_request, a_response, an_api, an_upstream


class AttemptTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0
        self.api = an_api("own", upstreams=(an_upstream(name="a"),))
        self.request = a_request(api=self.api)
        self.state = UpstreamState()
        self.place = Place(self.request.route, self.api.upstreams[0], "k1", self.state)
        self.begin()

    def begin(self) -> None:
        self.attempt = Attempt(self.place, lambda: self.now)
        self.attempt.begin(self.request)

    def test_name(self) -> None:
        """The upstream's own; of another API that too, unless both are called the same."""
        for api, name, elsewhere, expected in (
            ("own", "a", False, "a"),
            ("own", "own", False, "own"),
            ("other", "other", True, "other"),
            ("other", "a", True, "other/a"),
            ("other", "", True, ""),
        ):
            with row(api, name, elsewhere):
                request = a_request(api=an_api(api, upstreams=(an_upstream(name=name),)))
                place = Place(request.route, request.upstream, "", self.state, is_elsewhere=elsewhere)
                self.assertEqual(Attempt(place, lambda: 0.0).name, expected)

    def test_statuses(self) -> None:
        """Which answers are good ones, which are none, and which say something of the key alone."""
        for status, failures, latency, rests in (
            (200, 0, True, False),
            (404, 0, True, False),
            (429, 1, False, True),
            (401, 1, False, True),
            (500, 2, False, False),
            (503, 2, False, False),
        ):
            with row(status):
                self.setUp()
                self.state.failures = 1
                self.now += 2.0
                self.attempt.answered(a_response(status))
                self.assertEqual(self.state.failures, failures)
                self.assertEqual(self.state.latency(self.now) > 0, latency)
                self.assertEqual(self.state.keys.rests("k1", self.now), rests)
                self.assertEqual((self.state.in_flight, self.attempt.took), (0, 2.0))

    def test_errors(self) -> None:
        """A fault of upstream's counts, the client's does not."""
        for error, failures in (
            (UpstreamReset(), 1),
            (UpstreamTimeout("response_header"), 1),
            (RequestBodyTimeout(), 0),
        ):
            with row(error):
                self.setUp()
                self.attempt.failed(error)
                self.assertEqual((self.state.failures, self.state.in_flight), (failures, 0))

    def test_told(self) -> None:
        """Milliseconds, and one of status and cause."""
        self.now += 0.0123
        self.attempt.answered(a_response(503))
        self.assertEqual(self.attempt.as_detail(), {"upstream": "a", "status": 503, "took": 12.3})
        self.begin()
        self.attempt.failed(UpstreamReset())
        self.assertEqual(self.attempt.as_detail(), {"upstream": "a", "cause": "reset", "took": 0.0})

    def test_in_flight(self) -> None:
        """Until the answer has ended, however that is; once."""
        for end in ("end", "fail", "stop"):
            with row(end):
                self.setUp()
                body = HeldBody()
                response = self.attempt.answered(a_response(200, body))
                assert response.body is not None
                done = response.body.startProducing(Reader())
                self.assertEqual(self.state.in_flight, 1)
                if end == "end":
                    body.end()
                elif end == "fail":
                    body.fail(UpstreamReset(progress="answered"))
                    self.failureResultOf(done, UpstreamReset)
                else:
                    drop(response)
                self.attempt.end()
                self.assertEqual((self.state.in_flight, self.state.failures), (0, 1 if end == "fail" else 0))

    def test_record(self) -> None:
        """What an earlier attempt has noted of its upstream is no longer true."""
        record = self.request.record
        record.upstream_status, record.upstream_request_id, record.upstream_first_byte = 503, "r", 1.0
        self.begin()
        self.assertEqual((record.upstream, record.upstream_status, record.upstream_request_id), ("a", 0, ""))
        self.assertIsNone(record.upstream_first_byte)


class OriginalTests(SynchronousTestCase):
    def original(self, body: object, keeps: int | None) -> Original:
        self.budget = Budget(None)
        self.request = a_request(body=body, api=an_api())
        self.place = Place(self.request.route, self.request.upstream, "", UpstreamState())
        return Original(self.request, keeps, self.budget)

    def test_untouched(self) -> None:
        """Where a request is made once its body passes as it is."""
        body = HeldBody()
        self.original(body, None).restore(self.request, self.place)
        self.assertIs(self.request.body, body)

    def test_stopped(self) -> None:
        """Content that an attempt has stopped is whole for the next one."""
        original = self.original(BytesBody(b"content"), 10)
        for _ in range(2):
            original.restore(self.request, self.place)
            assert isinstance(self.request.body, BytesBody)
            self.assertEqual(self.request.body.content, b"content")
            self.request.body.stopProducing()

    def test_left_reader(self) -> None:
        """An upstream that has answered before it had taken all, and reads on, does not keep the next one from it."""
        body = HeldBody()
        original = self.original(body, 10)
        first, second = Reader(), Reader()
        for reader in (first, second):
            original.restore(self.request, self.place)
            assert self.request.body is not None
            self.request.body.startProducing(reader)
            body.write(b"ab")
        self.assertEqual((first.data, second.data), (b"ab", b"abab"))
        original.release()
        self.assertEqual(self.budget.used, 0)

    def test_can_replay(self) -> None:
        """What is larger than the bound goes once, and can go elsewhere as long as nothing of it has gone."""
        for body, unsent, expected in (
            (None, False, True),
            (BytesBody(b"x" * 10), False, True),
            (BytesBody(b"x" * 11), False, False),
            (BytesBody(b"x" * 11), True, True),
            (HeldBody(11), False, True),
        ):
            with row(body, unsent):
                self.assertEqual(self.original(body, 10).can_replay(unsent=unsent), expected)
