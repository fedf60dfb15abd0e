"""A look into a request's body for the model that it names, where that decides which upstream is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from zope.interface import implementer

from ..bodies import BytesBody
from ..core.fields import first
from ..core.jsonmembers import JsonMembers, tree_of
from ..core.models import LONGEST, named_in
from ..errors import RequestBodyTimeout, TooMuchWithheld
from ..providers.usagereader import LONGEST_EVENT
from ..replay import ReplayableBody
from .checking.pace import Pace
from .checking.withholding import SLOW

if TYPE_CHECKING:
    from ..core.budget import Budget
    from ..message import ApiRequest
    from ..net.timers import TimerWheel

_MODEL = tree_of(["model"])

_SPARE = 1024 * 1024
"""Bytes that one chunk has at most: the one with which the look ends is kept too."""


class _Asked(msgspec.Struct):
    model: Annotated[str, msgspec.Meta(max_length=LONGEST)] = ""


_decode = msgspec.json.Decoder(_Asked).decode


def model_in(body: object) -> str:
    """What a body names that is at hand; C{""} for one on its way."""
    if not isinstance(body, BytesBody):
        return ""
    content = body.content
    if len(content) <= LONGEST_EVENT:
        try:
            model = _decode(content).model
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        return model if model.isprintable() else ""
    found: list[bytes] = []
    JsonMembers(_MODEL, lambda _, written: found.append(written)).feed(content)
    return named_in(found[-1]) if found else ""


def peek(request: ApiRequest, budget: Budget, wheel: TimerWheel, limit: int, rate: float) -> Deferred[str]:
    """
    The model that the JSON of a request names; C{""} where it is none, names none, or not within C{limit} bytes.

    A body on its way is read as far as that takes, and replaced by one that begins with what was read; it must come at
    a lowest C{rate}, in bytes a second. Cancelling stops it.

    The Deferred fails with L{TooMuchWithheld}, L{RequestBodyTimeout}, or with what the body fails with.
    """
    body = request.body
    if body is None or b"json" not in (first(request.fields, b"content-type") or b"json").lower():
        return succeed("")
    if first(request.fields, b"content-encoding") is not None or isinstance(body, BytesBody):
        return succeed(model_in(body))
    request.body = replayable = ReplayableBody(body, budget, limit + _SPARE)
    return _Peek(replayable, wheel, limit, rate).read()


@implementer(IConsumer)
class _Peek:
    def __init__(self, body: ReplayableBody, wheel: TimerWheel, limit: int, rate: float) -> None:
        self._body = body
        self._limit = limit
        self._scan = JsonMembers(_MODEL, self._found)
        self._size = 0
        self._model = ""
        self._result: Deferred[str] | None = Deferred(lambda _: self._stop())
        self._pace = Pace(wheel, rate, lambda: self._size, lambda: self._fail(RequestBodyTimeout(SLOW)))

    def read(self) -> Deferred[str]:
        result = self._result
        assert result is not None
        producing = self._body.startProducing(self)
        if not producing.called and self._result is not None:
            self._pace.start()
        producing.addCallbacks(lambda _: self._end(), self._broken)
        return result

    def write(self, data: bytes) -> None:
        if self._result is None:
            return
        if not self._body.can_replay:
            self._fail(TooMuchWithheld())
            return
        self._size += len(data)
        self._scan.feed(data)
        if self._model or self._size >= self._limit or self._scan.is_given_up:
            self._body.leave()
            self._end()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def _found(self, _: str, written: bytes) -> None:
        self._model = self._model or named_in(written)

    def _end(self) -> None:
        result, self._result = self._result, None
        self._pace.end()
        if result is not None:
            result.callback(self._model)

    def _broken(self, reason: Failure) -> None:
        self._fail(reason)

    def _fail(self, error: Any) -> None:
        result, self._result = self._result, None
        self._stop()
        if result is not None:
            result.errback(error)

    def _stop(self) -> None:
        self._result = None
        self._pace.end()
        self._body.leave()
        self._body.release()
