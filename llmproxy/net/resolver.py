"""
Addresses of host names, for all who connect to them in this process.

A name server that says nothing takes a thread for 40 seconds. Asked once for each attempt to connect, with the ten
threads of a reactor, it kept every other name from being looked up. Here a name is asked for once at a time, what was
good is used meanwhile, and nobody's question waits behind another name's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import DNSLookupError
from twisted.python.failure import Failure

from ..core.addresscache import KEPT, Answer, Use, use
from .lookups import LookUp, look_up_with

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

MOST_AT_ONCE = 64
"""Names that are asked for at the same time, each in a thread."""

MOST_NAMES = 1000
"""Names that are remembered."""

PATIENCE = 1.0
"""Seconds that a caller waits for a new answer where an old one is known."""


class _Name:
    """
    @ivar answer: the last one that was good.
    @ivar failed: when asking came to nothing, and with what, if that was the last time.
    @ivar asking: somebody has been asked, and has not answered.
    @ivar waiting: the callers, each with the timer that ends its patience, if it has one.
    """

    __slots__ = ("answer", "asking", "failed", "host", "waiting")

    def __init__(self, host: str) -> None:
        self.host = host
        self.answer: Answer | None = None
        self.failed: tuple[float, Failure] | None = None
        self.asking = False
        self.waiting: dict[Deferred[tuple[str, ...]], IDelayedCall | None] = {}


class Names:
    """
    @param look_up: asks for the addresses of a name; as the reactor does if C{None}.
    """

    def __init__(self, reactor: Any, look_up: LookUp | None = None) -> None:
        self._reactor = reactor
        self._look_up = look_up_with(reactor) if look_up is None else look_up
        self._names: dict[str, _Name] = {}
        self._queue: dict[_Name, None] = {}
        self._asking = 0

    def lookup(self, host: str) -> Deferred[tuple[str, ...]]:
        """
        The addresses of a name, in the order in which to try them; fails with L{DNSLookupError}. Cancelling it takes
        out this caller alone.
        """
        name, now = self._name(host), self._reactor.seconds()
        answer, failed = name.answer, name.failed
        if answer is not None and now - answer.at >= KEPT:
            answer = name.answer = None
        what = use(answer, failed[0] if failed else None, now)
        if what is Use.WAIT:
            return self._wait(name)
        if what is Use.REFUSE:
            return fail(_again(failed))
        if what is Use.RENEW:
            self._ask(name)
        assert answer is not None
        return succeed(answer.addresses)

    def doubt(self, host: str) -> None:
        """No address of the last answer took a connection: the next caller would rather have a new one."""
        name = self._names.get(host)
        if name is not None and name.answer is not None:
            name.answer = evolve(name.answer, doubted=True)

    def _name(self, host: str) -> _Name:
        name = self._names.get(host)
        if name is None:
            if len(self._names) >= MOST_NAMES:
                self._forget_one()
            name = self._names[host] = _Name(host)
        return name

    def _forget_one(self) -> None:
        """The oldest one that nobody is asked for; where all are, one more is known for a while."""
        for host, name in self._names.items():
            if not name.asking and not name.waiting:
                del self._names[host]
                return

    # -- callers

    def _wait(self, name: _Name) -> Deferred[tuple[str, ...]]:
        caller: Deferred[tuple[str, ...]] = Deferred(lambda left: self._left(name, left))
        patience = None
        if name.answer is not None:
            patience = self._reactor.callLater(PATIENCE, self._lost_patience, name, caller)
        name.waiting[caller] = patience
        self._ask(name)
        return caller

    def _left(self, name: _Name, caller: Deferred[tuple[str, ...]]) -> None:
        patience = name.waiting.pop(caller, None)
        if patience is not None and patience.active():
            patience.cancel()
        if not name.waiting:
            self._queue.pop(name, None)

    def _lost_patience(self, name: _Name, caller: Deferred[tuple[str, ...]]) -> None:
        assert name.answer is not None
        self._left(name, caller)
        caller.callback(name.answer.addresses)

    # -- questions

    def _ask(self, name: _Name) -> None:
        if name.asking:
            return
        if self._asking < MOST_AT_ONCE:
            name.asking = True
            self._asking += 1
            self._look_up(name.host).addCallbacks(
                self._found, self._not_found, callbackArgs=(name,), errbackArgs=(name,)
            )
        elif name.waiting:
            self._queue[name] = None

    def _found(self, addresses: tuple[str, ...], name: _Name) -> None:
        if not addresses:
            self._not_found(Failure(DNSLookupError(f"no address for {name.host}")), name)
            return
        name.answer, name.failed = Answer(addresses, self._reactor.seconds()), None
        self._answered(name)

    def _not_found(self, reason: Failure, name: _Name) -> None:
        reason.cleanFailure()
        name.failed = self._reactor.seconds(), reason
        self._answered(name)

    def _answered(self, name: _Name) -> None:
        name.asking = False
        self._asking -= 1
        usable = use(name.answer, name.failed[0] if name.failed else None, self._reactor.seconds()) is Use.ANSWER
        for caller in list(name.waiting):
            if caller not in name.waiting:
                # Another one's answer has made it leave.
                continue
            self._left(name, caller)
            if usable and name.answer is not None:
                caller.callback(name.answer.addresses)
            else:
                caller.errback(_again(name.failed))
        self._ask_next()

    def _ask_next(self) -> None:
        while self._queue and self._asking < MOST_AT_ONCE:
            name = next(iter(self._queue))
            del self._queue[name]
            self._ask(name)


def _again(failed: tuple[float, Failure] | None) -> Failure:
    """The same failure for another caller: an exception belongs to who gets it."""
    assert failed is not None
    reason: Any = failed[1].value
    return Failure(reason.__class__(*reason.args))
