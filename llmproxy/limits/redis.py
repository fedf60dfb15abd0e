"""
Limits that all machines share, in Redis: one round trip before an answer, whatever the number of limits.

Each process counts for itself too. So a request that is beyond a limit by what this process has seen alone is refused
without asking; and while Redis is away, that count is what C{on_store_failure: local} goes by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from zope.interface import implementer

from ..core.limits.counters import Counters
from ..core.limits.values import Rule
from ..core.limits.verdicts import Crossed, Left, Part, Refusal, Reservation, crossed
from ..errors import Unavailable
from ..interfaces import ILimitStore
from ..net.clockedcall import ClockedCall
from ..redis.calls import RedisCalls
from . import scripts

if TYPE_CHECKING:
    from ..redis.pool import RedisPool

LEASE = 15.0
"""Seconds without a sign of life after which a process does not hold anything any more."""

SETTLE_AFTER = 0.05
"""Seconds that what has ended waits, so that one call settles many."""

MOST_AT_ONCE = 200
"""Parts in one call: Redis does nothing else meanwhile."""

MOST_WAITING = 100_000
"""Parts that wait for a Redis that is away; further ones are dropped, and counted: a ledger knows them still."""

SHORT = 1.0
"""Seconds after which it is worth to try again, where Redis has to be asked and cannot be."""


@define(slots=True, eq=False)
class _Held:
    """
    What a request holds in Redis.

    @ivar second: when it was taken, by the clock of Redis; C{""} while that is not known.
    """

    parts: tuple[Part, ...]
    second: str = ""


@define(slots=True, eq=False)
class _Ended:
    """One part that has ended, as L{scripts.SETTLE} takes it."""

    rule: Rule
    id: str
    amount: int
    used: int
    second: str


@implementer(ILimitStore)
class RedisLimits:
    """
    @param clock: its C{seconds} are since the epoch.
    @param prefix: what all keys begin with.
    @param spent: what was spent of a budget in its window before anybody counted here, as a ledger says; fails where
        there is none.
    @param warn: called for every share of a budget that is passed.
    @ivar lease: see L{LEASE}.
    @ivar dropped: parts that have ended and could not be told to Redis.
    @ivar failures: requests that were decided without it.
    """

    lease = LEASE

    def __init__(
        self,
        clock: Any,
        pool: RedisPool,
        prefix: bytes,
        spent: Callable[[Rule], Deferred[int]],
        warn: Callable[[Crossed], object] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._pool = pool
        self._calls = RedisCalls(pool)
        # In a cluster, all limits are in one place: the keys of one request have to be.
        self._prefix = prefix + b"{limits}:"
        self._spent = spent
        self._warn = warn
        self._counters = Counters()
        self._running: dict[str, _Held] = {}
        self._ended: list[_Ended] = []
        self._settling: Any = None
        self._sending = False
        self._renewing = ClockedCall(clock, self._renew)
        self._numbers = 0
        self._process = token_hex(10)
        self.dropped = 0
        self.failures = 0
        pool.when_connected(self._settle_soon)

    def start(self) -> None:
        self._pool.start()
        self._renewing.start(LEASE / 3, now=False)

    def stop(self) -> Deferred[None]:
        """What has ended is told to Redis, if it takes it in time."""
        if self._renewing.running:
            self._renewing.stop()
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        sent = self._pool.in_time(DeferredList(list(self._send_all()), consumeErrors=True), None)
        return sent.addCallback(lambda _: self._pool.stop())

    # -- ILimitStore

    def reserve(self, parts: Sequence[Part]) -> Reservation | Refusal | Deferred[Reservation | Refusal]:
        now = self._clock.seconds()
        away = not self._pool.connected
        asked = [part for part in parts if not (away and part.rule.on_store_failure == "open")]
        local = self._counters.reserve(asked, now, self._new_id())
        if isinstance(local, Refusal):
            return local
        if not parts:
            return local
        shared = _Held(tuple(parts))
        self._running[local.id] = shared
        asking = self._ask(local.id, shared, now)
        asking.addErrback(self._calls.failed, None)
        return self._pool.in_time(asking, None).addCallback(self._decided, local, shared)

    def settle(self, held: Reservation, used: Sequence[int | None]) -> None:
        now = self._clock.seconds()
        for each in self._counters.settle(held, used, now):
            self._local_warning(each)
        shared = self._running.pop(held.id, None)
        if shared is None:
            return
        known = {part.rule.key: one for part, one in zip(held.parts, used, strict=True)}
        for part in shared.parts:
            one = known.get(part.rule.key)
            amount = part.amount if one is None else one
            if part.rule.kind in ("parallel", "money") or (amount != part.amount and shared.second):
                self._ended.append(_Ended(part.rule, held.id, part.amount, amount, shared.second))
        self._settle_soon()

    def give_back(self, held: Reservation) -> None:
        self.settle(held, [0] * len(held.parts))

    def left(self, rules: Sequence[Rule]) -> Deferred[list[Left]]:
        if not rules:
            return succeed([])
        now = self._clock.seconds()
        spans = [_span(rule, now) for rule in rules]
        arguments = [each for rule, span in zip(rules, spans, strict=True) for each in (rule.kind.encode(), *span)]
        budgets = [self._begun(rule, now) for rule in rules if rule.kind == "money"]
        beginning: Deferred[Any] = DeferredList(budgets, fireOnOneErrback=True, consumeErrors=True)
        asking = beginning.addCallback(lambda _: self._calls.run(scripts.LEFT, self._keys(rules), *arguments))
        asking.addCallback(lambda found: [_left(rule, *two) for rule, two in zip(rules, _pairs(found), strict=True)])
        limited = self._pool.in_time(asking.addErrback(self._calls.failed, None), None)
        return limited.addCallback(_or_unavailable)

    @property
    def waiting(self) -> int:
        """Parts that have ended and that Redis does not know yet."""
        return len(self._ended)

    @property
    def running(self) -> int:
        """Requests that hold something."""
        return len(self._running)

    # -- reservations

    def _ask(self, id: str, held: _Held, now: float, again: bool = True) -> Deferred[Any]:
        arguments: list[bytes] = [id.encode(), b"%d" % (self.lease * 1000)]
        for part in held.parts:
            rule = part.rule
            refuses = b"1" if rule.kind != "money" or rule.over_budget == "refuse" else b"0"
            arguments += (rule.kind.encode(), b"%d" % rule.limit, b"%d" % part.amount, *_span(rule, now), refuses)
        rules = [part.rule for part in held.parts]
        asking = self._calls.run(scripts.RESERVE, self._keys(rules), *arguments)
        return asking.addCallback(self._answered, id, held, now, again)

    def _answered(self, reply: Any, id: str, held: _Held, now: float, again: bool) -> Any:
        what = reply[0]
        if what == b"unknown" and again:
            budgets = [self._begin(held.parts[number - 1].rule, now) for number in reply[1:]]
            beginning: Deferred[Any] = DeferredList(budgets, fireOnOneErrback=True, consumeErrors=True)
            return beginning.addCallback(lambda _: self._ask(id, held, now, again=False))
        if what == b"ok":
            held.second = str(reply[1])
            if id not in self._running:
                # It was decided without this answer, and has ended.
                self._took_in_vain(id, held)
            return reply
        self._running.pop(id, None)
        return reply

    def _decided(self, reply: Any, local: Reservation, held: _Held) -> Reservation | Refusal:
        if reply is None or reply[0] == b"unknown":
            return self._alone(local)
        if reply[0] == b"ok":
            return local
        self._counters.give_back(local, self._clock.seconds())
        found = zip(reply[1::3], reply[2::3], reply[3::3], strict=True)
        refusals = [Refusal(held.parts[n - 1].rule, int(left), None if ms < 0 else ms / 1000) for n, left, ms in found]
        return max(refusals, key=lambda each: float("inf") if each.resets_in is None else each.resets_in)

    def _alone(self, local: Reservation) -> Reservation | Refusal:
        """Redis has not said anything in time."""
        self.failures += 1
        for part in local.parts:
            if part.rule.on_store_failure == "closed":
                self.give_back(local)
                return Refusal(part.rule, 0, SHORT, unavailable=True)
        return local

    def _took_in_vain(self, id: str, held: _Held) -> None:
        """It came when the request had been refused, or had ended already, and its money had been settled."""
        self._ended += [_Ended(part.rule, id, part.amount, 0, held.second) for part in held.parts]
        self._settle_soon()

    # -- budgets that nobody has begun

    def _begun(self, rule: Rule, now: float) -> Deferred[Any]:
        asking = self._calls.run(scripts.LEFT, self._keys([rule]), b"money", *_span(rule, now))
        return asking.addCallback(lambda found: self._begin(rule, now) if found[0] == b"0" else None)

    def _begin(self, rule: Rule, now: float) -> Deferred[Any]:
        begin, end = _span(rule, now)
        finding = self._spent(rule)
        return finding.addCallback(
            lambda amount: self._calls.run(scripts.BEGIN, self._keys([rule]), begin, end, b"%d" % amount)
        )

    # -- settlements

    def _settle_soon(self) -> None:
        if self._ended and self._settling is None and not self._sending and self._pool.connected:
            self._settling = self._clock.callLater(SETTLE_AFTER, self._due)

    def _due(self) -> None:
        self._settling = None
        self._sending = True
        DeferredList(list(self._send_all()), consumeErrors=True).addCallback(self._sent)

    def _sent(self, _: object) -> None:
        self._sending = False
        self._settle_soon()

    def _send_all(self) -> Iterable[Deferred[Any]]:
        ended, self._ended = self._ended, []
        for start in range(0, len(ended), MOST_AT_ONCE):
            yield self._send(ended[start : start + MOST_AT_ONCE])

    def _send(self, ended: list[_Ended]) -> Deferred[Any]:
        now = self._clock.seconds()
        arguments: list[bytes] = []
        for each in ended:
            arguments += (each.id.encode(), each.rule.kind.encode(), b"%d" % each.amount, b"%d" % each.used)
            arguments += (each.second.encode(), *_span(each.rule, now))
        sending = self._calls.run(scripts.SETTLE, self._keys([each.rule for each in ended]), *arguments)
        return sending.addCallbacks(partial(self._settled, ended), self._not_settled, errbackArgs=(ended,))

    def _settled(self, ended: list[_Ended], before: Any) -> None:
        for each, spent in zip(ended, before, strict=True):
            if spent:
                for crossing in crossed(each.rule, int(spent), int(spent) + each.used):
                    self._warn(crossing)

    def _not_settled(self, reason: Any, ended: list[_Ended]) -> None:
        """It is sent again later. Whether Redis has taken it is not known: a budget may count it twice."""
        self._calls.failed(reason, None)
        room = MOST_WAITING - len(self._ended)
        self.dropped += max(0, len(ended) - room)
        self._ended += ended[: max(0, room)]

    def _local_warning(self, crossing: Crossed) -> None:
        """What all processes have used is told by Redis; what this one has, where that cannot be asked."""
        if not self._pool.connected:
            self._warn(crossing)

    # -- signs of life

    def _renew(self) -> None:
        self._counters.prune(self._clock.seconds())
        living = [
            (part.rule, f"{id}:{part.amount}" if part.rule.kind == "money" else id)
            for id, held in self._running.items()
            if held.second
            for part in held.parts
            if part.rule.kind in ("money", "parallel")
        ]
        for start in range(0, len(living), MOST_AT_ONCE):
            some = living[start : start + MOST_AT_ONCE]
            keys = tuple(self._keys([rule])[1 if rule.kind == "money" else 0] for rule, _ in some)
            members = [member.encode() for _, member in some]
            renewing = self._calls.run(scripts.RENEW, keys, b"%d" % (self.lease * 1000), *members)
            renewing.addErrback(self._calls.failed, None)

    # -- names

    def _new_id(self) -> str:
        self._numbers += 1
        return f"{self._process}{self._numbers:012x}"

    def _keys(self, rules: Iterable[Rule]) -> tuple[bytes, ...]:
        """Two for each: only a budget has a second one."""
        names = [self._prefix + rule.key.encode() for rule in rules]
        return tuple(name for each in names for name in (each, each + b":held"))


def _span(rule: Rule, now: float) -> tuple[bytes, bytes]:
    """Begin and end of the window of a budget, seconds; nothing for others, and for an end that does not come."""
    if rule.kind != "money":
        return b"", b""
    begin, end = rule.span(now)
    return f"{begin:.3f}".encode(), b"" if end is None else f"{end:.3f}".encode()


def _pairs(found: Sequence[Any]) -> Iterable[tuple[int, int]]:
    return ((int(used), wait) for used, wait in zip(found[::2], found[1::2], strict=True))


def _left(rule: Rule, used: int, wait: int) -> Left:
    return Left(rule, used, max(0, rule.limit - used), None if wait < 0 else wait / 1000)


def _or_unavailable(found: Any) -> Any:
    return (
        fail(Unavailable("what is left of limits cannot be asked: Redis does not answer")) if found is None else found
    )
