"""Tests for L{llmproxy.middleware.quota}."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.apisettings import ApiSettings, MeterSettings
from llmproxy.bodies import BytesBody
from llmproxy.errors import BreakerOpen, RateLimitExceeded, Unavailable, UpstreamReset
from llmproxy.message import ApiRequest, ApiResponse, Record
from llmproxy.middleware.quota import Limit

from ..tables import row
from .fakes import PRINCIPAL, FakeQuota, Inner, a_request, a_response, an_api


class Sink:
    def write(self, data: bytes) -> None:
        pass


class Parts:
    """A body that comes in pieces."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.length = UNKNOWN_LENGTH
        self.done: Deferred[None] = Deferred()

    def startProducing(self, consumer: Sink) -> Deferred[None]:
        self.consumer = consumer
        return self.done

    def write(self, number: int) -> None:
        self.consumer.write(b"%d" % number)


class FakeLedger:
    """
    @ivar calls: what was noted, with whether it counts and whether it was leased.
    @ivar open: whether the exchange has not ended.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool, bool]] = []
        self.open = True
        self.models: list[str] = []

    def begin(self, record: Record, *, leased: bool) -> None:
        self.models.append(record.model)
        self.calls.append(("begin", record.counted, leased))

    def learn(self, record: Record) -> None:
        self.calls.append((f"learn {record.model}", record.counted, False))

    def is_open(self, record: Record) -> bool:
        return self.open

    def give_back(self, record: Record, *, leased: bool) -> None:
        self.calls.append(("give back", record.counted, leased))


class LimitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.quota = FakeQuota()
        self.inner = Inner()
        self.request = a_request(principal=PRINCIPAL, api=an_api())

    def begin(self) -> Deferred[ApiResponse]:
        return Limit(self.quota).respond(self.request, self.inner)

    def noted(self) -> FakeLedger:
        """A ledger that the next request is noted in."""
        self.ledger = FakeLedger()
        return self.ledger

    def begin_noted(self) -> Deferred[ApiResponse]:
        return Limit(self.quota, self.ledger).respond(self.request, self.inner)

    def test_noted(self) -> None:
        """What goes on is noted before it does, as one that counts."""
        ledger = self.noted()
        self.begin_noted()
        self.assertEqual(ledger.calls, [("begin", True, False)])
        self.assertEqual(len(self.inner.requests), 1)

    def test_learnt(self) -> None:
        """What a body says while it goes on is noted as soon as it is known, once; one that is here is looked at."""
        for body, expected in (
            (Parts(2), ["learn m-1"]),
            (Parts(1), ["learn m-1"]),
            (BytesBody(b'{"model":"m-1"}'), []),
        ):
            with row(body):
                ledger = self.noted()
                self.request = a_request(body=body, principal=PRINCIPAL, api=an_api())
                self.begin_noted()
                sent = self.inner.requests[-1].body
                done = sent.startProducing(Sink())
                for number in range(getattr(body, "count", 0)):
                    body.write(number)
                    # What reads it stands further in.
                    self.request.record.model = "m-1"
                if isinstance(body, Parts):
                    body.done.callback(None)
                    self.assertEqual(self.successResultOf(done), None)
                self.assertEqual([call[0] for call in ledger.calls[1:]], expected)

    def test_model(self) -> None:
        """What is asked for is noted before the request goes on, where it is at hand: of one that is interrupted, too,
        it is known."""
        body = BytesBody(b'{"model":"gpt-4o"}')
        gemini = b"/v1beta/models/gemini-2.5-pro:generateContent"
        for target, content, before, metered, model in (
            (b"/v1/chat/completions", body, "", True, "gpt-4o"),
            (gemini, BytesBody(b"{}"), "", True, "gemini-2.5-pro"),
            (gemini, None, "", True, "gemini-2.5-pro"),
            (b"/v1/chat/completions", body, "known", True, "known"),
            (b"/v1/chat/completions", BytesBody(b"{"), "", True, ""),
            (b"/v1/chat/completions", body, "", False, ""),
        ):
            api = an_api(settings=ApiSettings(meter=MeterSettings() if metered else None))
            self.request = a_request(target=target, body=content, api=api, principal=PRINCIPAL)
            self.request.record.model = before
            ledger = self.noted()
            self.begin_noted()
            with row(self, target, before, metered):
                self.assertEqual(ledger.models, [model])

    def test_noted_as_leased(self) -> None:
        """The use of a limited token is a leased one."""
        self.request.principal = evolve(PRINCIPAL, token=evolve(PRINCIPAL.token, max_requests=5))
        ledger = self.noted()
        self.begin_noted()
        self.assertEqual(ledger.calls, [("begin", True, True)])

    def test_noted_when_spent(self) -> None:
        """Nothing is noted while the use is being spent, and nothing at all where it is refused."""
        ledger = self.noted()
        self.quota.spending = Deferred()
        responding = self.begin_noted()
        self.assertEqual(ledger.calls, [])
        self.quota.spending.errback(RateLimitExceeded())
        self.failureResultOf(responding, RateLimitExceeded)
        self.assertEqual((ledger.calls, self.request.record.counted), ([], False))

    def test_given_back(self) -> None:
        """A use that is given back is noted so, and does not count."""
        ledger = self.noted()
        responding = self.begin_noted()
        self.inner.fail(BreakerOpen())
        self.failureResultOf(responding, BreakerOpen)
        self.assertEqual(ledger.calls, [("begin", True, False), ("give back", False, False)])
        self.assertEqual(self.quota.balance, 0)

    def test_given_back_too_late(self) -> None:
        """Where the record is written already that says that it counts, it does."""
        ledger = self.noted()
        responding = self.begin_noted()
        ledger.open = False
        self.inner.fail(BreakerOpen())
        self.failureResultOf(responding, BreakerOpen)
        self.assertEqual((len(ledger.calls), self.quota.balance, self.request.record.counted), (1, 1, True))

    def test_of_an_exchange(self) -> None:
        """A call that is made for an exchange uses up what that does: once, however often it is made."""
        ledger, exchange = self.noted(), a_request().record
        self.request.record.part_of = exchange
        for _ in range(2):
            responding = self.begin_noted()
            self.request.record.attempts = 1
            self.inner.answer(a_response())
            self.successResultOf(responding)
        self.assertEqual((self.quota.balance, len(ledger.calls)), (1, 1))
        self.assertEqual((exchange.counted, self.request.record.counted), (True, False))

    def test_answered(self) -> None:
        """An answered request has used up one."""
        responding = self.begin()
        self.request.record.attempts = 1
        self.inner.answer(a_response(500))
        self.successResultOf(responding)
        self.assertEqual(self.quota.balance, 1)

    def test_failed_upstream(self) -> None:
        """What upstream saw is used up, also if it failed."""
        responding = self.begin()
        self.request.record.attempts = 1
        self.inner.fail(UpstreamReset())
        self.failureResultOf(responding, UpstreamReset)
        self.assertEqual(self.quota.balance, 1)

    def test_never_sent(self) -> None:
        """A request that was refused further in uses up nothing."""
        responding = self.begin()
        self.inner.fail(BreakerOpen())
        self.failureResultOf(responding, BreakerOpen)
        self.assertEqual(self.quota.balance, 0)

    def test_raised(self) -> None:
        """The same if the responder itself refuses."""

        def refuse(request: ApiRequest) -> Deferred[ApiResponse]:
            raise BreakerOpen()

        self.assertRaises(BreakerOpen, Limit(self.quota).respond, self.request, refuse)
        self.assertEqual(self.quota.balance, 0)

    def test_left_before_sent(self) -> None:
        """A client that left before its request was sent used up nothing."""
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual((self.quota.balance, self.inner.cancelled), (0, 1))

    def test_waits(self) -> None:
        """Nothing goes on before the use is spent."""
        self.quota.spending = Deferred()
        responding = self.begin()
        self.assertEqual(self.inner.requests, [])
        self.quota.spending.callback(None)
        self.inner.requests[0].record.attempts = 1
        self.inner.answer(a_response())
        self.successResultOf(responding)
        self.assertEqual(self.quota.balance, 1)

    def test_answered_without_upstream(self) -> None:
        """An answer that upstream had no part in, to C{Max-Forwards: 0} for example, uses up nothing."""
        responding = self.begin()
        self.inner.answer(a_response())
        self.successResultOf(responding)
        self.assertEqual(self.quota.balance, 0)

    def test_used_up(self) -> None:
        """A spent token is told so, and its SDK not to try again."""
        self.quota.spending = Deferred()
        responding = self.begin()
        self.quota.spending.errback(RateLimitExceeded())
        error = self.failureResultOf(responding, RateLimitExceeded).value
        self.assertEqual(error.fields, ((b"x-should-retry", b"false"),))
        self.assertEqual((error.code, error.message), ("rate_limit_exceeded", "Token is used up"))
        self.assertIn("waiting does not help", error.description)
        self.assertEqual((self.quota.balance, self.inner.requests), (0, []))

    def test_quota_away(self) -> None:
        """If nobody can say whether a use is left, nothing is sent."""
        self.quota.spending = Deferred()
        responding = self.begin()
        self.quota.spending.errback(Unavailable())
        self.failureResultOf(responding, Unavailable)
        self.assertEqual(self.inner.requests, [])

    def test_left_while_spending(self) -> None:
        """A client that leaves meanwhile does not stop the spending, and gets its use back."""
        self.quota.spending = Deferred(lambda _: self.fail("the spending was cancelled"))
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.quota.spending.callback(None)
        self.assertEqual((self.quota.balance, self.inner.requests), (0, []))

    def test_left_while_refused(self) -> None:
        """A refusal that comes too late is no error of ours."""
        self.quota.spending = Deferred()
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.quota.spending.errback(RateLimitExceeded())
        self.assertEqual(self.quota.balance, 0)

    def test_left_after_spending(self) -> None:
        """Once the use was spent, a client that leaves cancels the call."""
        self.quota.spending = Deferred()
        responding = self.begin()
        self.quota.spending.callback(None)
        self.request.record.attempts = 1
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual((self.quota.balance, self.inner.cancelled), (1, 1))
