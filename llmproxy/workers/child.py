"""A worker as its parent sees it: a process, which it tells and asks something, and which answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ProcessProtocol

from ..errors import ConfigError
from .ipc import Control, message, packed, unpacked

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..sinks.metrics import ProxyMetrics

_ANSWERS = {"purged": "count", "prepared": "problems", "answer": "answer"}
"""What of an answer is the answer."""


class Parent(Protocol):
    """What a worker needs of L{llmproxy.workers.supervisor.Supervisor}, which documents each."""

    clock: Any

    def ended(self, worker: Worker, reason: Failure, /) -> None: ...

    def pass_on(self, teller: Worker, kind: str, values: dict[str, Any], /) -> None: ...

    def purge(self, teller: Worker, values: dict[str, Any], /) -> Deferred[int]: ...

    def flush(self, teller: Worker, /) -> Deferred[Any]: ...

    def drain(self, teller: Worker, values: dict[str, Any], /) -> Deferred[Any]: ...

    def question(self, teller: Worker, values: dict[str, Any], /) -> Deferred[list[Any]]: ...

    def upgrade(self) -> object: ...

    def reload_for(self, asker: Worker, number: int, /) -> None: ...

    def all_metrics(self) -> Deferred[ProxyMetrics]: ...


class Worker(ProcessProtocol):
    """
    One worker process.

    @param start: the first message to it.
    @ivar started: fires when it serves; fails with L{ConfigError} if it says that it cannot, and with what ended
        it if it ended without a word.
    @ivar ended: fires when the process is gone.
    """

    def __init__(self, supervisor: Parent, number: int, start: dict[str, Any]) -> None:
        self.number = number
        self.started: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.stopping = False
        self._supervisor = supervisor
        self._start = start
        self._control = Control(self.heard, lambda: None)
        self._asked: dict[int, Deferred[Any]] = {}

    # -- to the worker

    def tell(self, kind: str, **values: Any) -> None:
        if not self.ended.called and self.transport is not None:
            self.transport.writeToChild(0, message(kind, **values))

    def ask(self, kind: str, number: int, **values: Any) -> Deferred[Any]:
        """
        What it answers to a question: to C{metrics} its numbers, to C{purge} how many answers were removed, to
        C{flush} and C{drain} that it is done, to C{prepare} and C{commit} what is wrong, to C{question} what it says.

        @param number: of the question, which has one of its own.
        """
        asked: Deferred[Any] = Deferred(lambda _: self._forget(number))
        self._asked[number] = asked
        self.tell(kind, number=number, **values)
        return asked

    def _forget(self, number: int) -> None:
        self._asked.pop(number, None)

    def stop(self, seconds: float, succeeded: bool = False) -> Deferred[None]:
        """
        Have it drain for at most C{seconds}; what has not ended then is killed.

        @param succeeded: others serve already.
        """
        self.stopping = True
        if self.ended.called:
            return succeed(None)
        self.tell("stop", seconds=seconds, succeeded=succeeded)
        # The worker cuts what is left when its drain is over, and then has to write down its counts.
        late = self._supervisor.clock.callLater(seconds + 20.0, self.kill)
        done: Deferred[None] = Deferred()

        def ended(result: Any) -> Any:
            if late.active():
                late.cancel()
            done.callback(None)
            return result

        self.ended.addBoth(ended)
        return done

    def kill(self) -> None:
        if not self.ended.called and self.transport is not None:
            self.transport.signalProcess("KILL")

    @property
    def serves(self) -> bool:
        """It has said that it serves, and has not been asked to stop."""
        return self.started.called and not self.stopping and not self.ended.called

    def pipes(self) -> tuple[int, int]:
        """The descriptors that its parent writes to, and reads from."""
        transport: Any = self.transport
        return transport.pipes[0].fileno(), transport.pipes[3].fileno()

    @property
    def pid(self) -> int | None:
        return None if self.transport is None else self.transport.pid

    # -- called by the reactor

    def connectionMade(self) -> None:
        self.tell("start", **self._start)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == 3:
            self._control.dataReceived(data)

    def processEnded(self, reason: Failure) -> None:
        for asked in list(self._asked.values()):
            asked.cancel()
        if not self.started.called:
            self.started.errback(reason)
        self.ended.callback(None)
        self._supervisor.ended(self, reason)

    def heard(self, kind: str, values: dict[str, Any]) -> None:
        """What it says; see L{llmproxy.workers.ipc}."""
        if kind == "started":
            self.started.callback(None)
        elif kind == "failed":
            self.started.errback(ConfigError(*values["problems"]))
        elif kind in ("metrics", "purged", "flushed", "drained", "prepared", "answer"):
            asked = self._asked.pop(values["number"], None)
            if asked is not None:
                asked.callback(unpacked(values["metrics"]) if kind == "metrics" else values.get(_ANSWERS.get(kind, "")))
        elif kind in ("changed", "removed"):
            self._supervisor.pass_on(self, kind, values)
        elif kind == "purge_others":
            number = values.pop("number")
            self._supervisor.purge(self, values).addCallback(
                lambda count: self.tell("purged", number=number, count=count)
            )
        elif kind == "flush_others":
            self._supervisor.flush(self).addCallback(lambda _: self.tell("flushed", number=values["number"]))
        elif kind == "drain_others":
            number = values.pop("number")
            self._supervisor.drain(self, values).addCallback(lambda _: self.tell("drained", number=number))
        elif kind == "ask_others":
            number = values.pop("number")
            self._supervisor.question(self, values).addCallback(
                lambda answers: self.tell("answers", number=number, answers=answers)
            )
        elif kind == "upgrade":
            self._supervisor.upgrade()
        elif kind == "reload_all":
            self._supervisor.reload_for(self, values["number"])
        elif kind == "all_metrics":
            self._supervisor.all_metrics().addCallback(
                lambda total: self.tell("all_metrics", number=values["number"], metrics=packed(total.plain()))
            )
