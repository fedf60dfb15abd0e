"""Tests of L{llmproxy.middleware.limitheld}; the ends of whole exchanges are in C{test_limits}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.core.limits.reservation import Learnt, Wants
from llmproxy.core.limits.values import PICO, Kind, Rule
from llmproxy.core.limits.verdicts import Reservation
from llmproxy.errors import RequestBodyTimeout, TokenRevoked, UpstreamReset, UpstreamTimeout
from llmproxy.message import Record
from llmproxy.middleware.limitheld import Held, Settling
from llmproxy.middleware.limitrules import Plan
from llmproxy.usage import UNKNOWN, Usage

from .fakes import HeldBody, Inner, Reader, a_request, a_response, an_api

KINDS: tuple[Kind, ...] = ("requests", "parallel", "tokens", "money")
USED = Usage(input_tokens=10, output_tokens=20, served_model="m-1")
COST = 30 * PICO // 10**6


class FakeStore:
    """@ivar calls: what was settled, and C{None} for what was given back."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def settle(self, held: Reservation, used: Any) -> None:
        self.calls.append(list(used))

    def give_back(self, held: Reservation) -> None:
        self.calls.append(None)


class FakeTariffs:
    """@ivar found: what is answered."""

    def __init__(self) -> None:
        self.found: Any = COST
        self.asked: list[Record] = []

    def spent(self, record: Record) -> Any:
        self.asked.append(record)
        return self.found


class HeldTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store, self.tariffs, self.inner = FakeStore(), FakeTariffs(), Inner()
        self.plan = Plan(an_api(), "m", [Rule(kind, "token:t", 1000, "") for kind in KINDS])
        self.request = a_request(api=an_api())
        self.record = self.request.record
        self.settling = Settling(self.store, self.tariffs, Learnt())  # type: ignore[arg-type]

    def held(self) -> Held:
        reservation = Reservation(tuple(self.plan.parts(50, 50)), 0.0)
        return Held(self.settling, self.plan, Wants(), 0, 0, 0.0, None, reservation)

    def begin(self, sent: bool = True) -> Deferred[Any]:
        responding = self.settling.go_on(self.held(), None, self.request, self.inner)
        self.record.attempts = int(sent)
        return responding

    def answered(self, usage: Usage | None, **record: Any) -> list[Any]:
        self.store.calls.clear()
        responding = self.begin()
        self.record.usage, self.record.upstream_status = usage, 200
        for name, value in record.items():
            setattr(self.record, name, value)
        self.inner.answer(a_response(200, BytesBody(b"{}")))
        self.successResultOf(responding)
        return self.store.calls

    def test_answers(self) -> None:
        """What an answer that is here says it used."""
        self.assertEqual(self.answered(USED), [[None, None, 30, COST]])
        self.assertEqual(self.tariffs.asked, [self.record])
        self.assertEqual(self.answered(UNKNOWN), [[None, None, None, None]])
        # The API of these tests has no meter: nobody has looked.
        self.assertEqual(self.answered(None), [[None, None, None, None]])
        self.assertEqual(self.answered(None, upstream_status=500), [[None, None, 0, 0]])

    def test_truncated(self) -> None:
        """What was seen of an answer that was cut is the least that it can have been."""
        more = Usage(input_tokens=100, output_tokens=200)
        self.assertEqual(self.answered(USED, truncated=True), [[None, None, 50, max(50, COST)]])
        self.assertEqual(self.answered(more, truncated=True)[0][2], 300)

    def test_prices_come_later(self) -> None:
        """Where a price is being looked up it is settled then, once."""
        self.tariffs.found = Deferred()
        self.assertEqual(self.answered(USED), [])
        self.tariffs.found.callback(0)
        self.assertEqual(self.store.calls, [[None, None, 30, 0]])

    def test_not_billable(self) -> None:
        """Where an answer does not say what it is billed by, what was reserved is used."""
        self.tariffs.found = None
        self.assertEqual(self.answered(USED), [[None, None, 30, None]])

    def test_streams(self) -> None:
        """A body that flows is settled at its end, in whichever way, once."""
        for end in ("end", "fail", "stop", "never started"):
            self.store.calls.clear()
            responding, body = self.begin(), HeldBody()
            self.inner.answer(a_response(200, body))
            response = self.successResultOf(responding)
            self.assertEqual(self.store.calls, [], end)
            self.record.usage = USED
            producing = None if end == "never started" else response.body.startProducing(Reader())
            if end == "end":
                body.end()
            elif end == "fail":
                body.fail(UpstreamReset())
                self.failureResultOf(producing, UpstreamReset)
            else:
                response.body.stopProducing()
                response.body.stopProducing()
            self.assertEqual(self.store.calls, [[None, None, 30, COST]], end)

    def test_failures(self) -> None:
        """Where the provider may go on it has used what was reserved; where nothing was sent, nothing."""
        rows = (
            (UpstreamReset(), True, [None, None, 0, 0]),
            (UpstreamTimeout("response_header"), True, [None, None, None, None]),
            (TokenRevoked(), True, [None, None, None, None]),
            (CancelledError(), True, [None, None, None, None]),
            (CancelledError(), False, None),
            (UpstreamTimeout("connect"), False, None),
        )
        for error, sent, expected in rows:
            self.store.calls.clear()
            responding = self.begin(sent)
            self.inner.fail(error)
            self.failureResultOf(responding, type(error))
            self.assertEqual(self.store.calls, [expected], error)

    def test_raises(self) -> None:
        """What fails before it is a Deferred is given back."""

        def broken(request: object) -> Any:
            raise KeyError("fault")

        self.assertRaises(KeyError, self.settling.go_on, self.held(), None, self.request, broken)
        self.assertEqual(self.store.calls, [None])

    def test_learns(self) -> None:
        """What an answer used is what the next is estimated by."""
        for _ in range(32):
            self.answered(USED)
        self.assertEqual(self.settling.learnt.estimate(("openai", "m"), Wants()).output_tokens, 20)

    def test_by_record(self) -> None:
        """The same by a record that has ended, where whoever makes records ends what they hold."""
        timeout = UpstreamTimeout.code
        rows: tuple[tuple[dict[str, Any], Any], ...] = (
            ({"usage": USED, "upstream_status": 200}, [None, None, 30, COST]),
            ({"usage": UNKNOWN, "upstream_status": 200, "ended": "client_left"}, [None, None, None, None]),
            ({"usage": USED, "upstream_status": 200, "truncated": True}, [None, None, 50, max(50, COST)]),
            ({"upstream_status": 200, "ended": "complete"}, [None, None, None, None]),
            ({"upstream_status": 500, "ended": "complete"}, [None, None, 0, 0]),
            ({"attempts": 0, "ended": "client_left"}, None),
            ({"ended": "client_left"}, [None, None, None, None]),
            ({"ended": "shutdown"}, [None, None, None, None]),
            # The client was told, and left while it was.
            ({"ended": "client_left", "error_code": "upstream_reset"}, [None, None, 0, 0]),
            ({"ended": "timeout", "error_code": timeout}, [None, None, None, None]),
            ({"ended": "timeout", "error_code": RequestBodyTimeout.code}, [None, None, 0, 0]),
            ({"ended": "revoked", "error_code": TokenRevoked.code}, [None, None, None, None]),
            ({"ended": "upstream_failed", "error_code": UpstreamReset.code}, [None, None, 0, 0]),
        )
        for values, expected in rows:
            self.store.calls.clear()
            record = a_request(api=an_api()).record
            for name, value in {"attempts": 1, **values}.items():
                setattr(record, name, value)
            self.held().end(record)
            self.assertEqual(self.store.calls, [expected], values)
