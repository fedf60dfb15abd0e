"""
Frames of a client after the upgrade to a WebSocket, judged message by message before upstream has them.

What a client says is held back until its message is complete; control frames pass in between. A message that is not
allowed, or that cannot be read, ends both connections: the client gets an event that says why, where its protocol has
such, and a close frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from ...core import websocket
from ...core.fields import values
from ...core.gathering import Gathered
from ...core.inspection import jsonbody
from ...core.websocket import FrameError, FrameReader
from ...errors import ProxyError, TooMuchWithheld, UpstreamProtocolError, UpstreamReset
from ...providers.errorbody import event
from .pace import Pace

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProducer

    from ...core.budget import Lease
    from ...core.inspection.endpointrules import Rules
    from ...core.inspection.steps import Steps
    from ...core.websocket import Part
    from ...message import ApiRequest, ApiResponse
    from ...net.slices import Slices
    from ...net.timers import Deadline, TimerWheel

EXTENSIONS = frozenset({b"sec-websocket-extensions"})

LAST_FRAME = 5.0
"""Seconds in which upstream must complete the frame that it has begun, so that ours can stand behind it."""

_BLANK = b" \t\r\n"
_A_SLICE = 100
"""Frames, which can be as short as six bytes."""


def judged_frames(
    response: ApiResponse,
    request: ApiRequest,
    rules: Rules,
    limit: int,
    slices: Slices,
    lease: Lease,
    wheel: TimerWheel,
    rate: float,
) -> ApiResponse:
    """The response with what the client says afterwards judged; one that is no upgrade as it is."""
    if response.upgraded is None or response.body is None:
        return response
    if values(response.fields, b"sec-websocket-extensions"):
        response.body.stopProducing()
        raise UpstreamProtocolError("upstream agreed to an extension that was not offered")
    answers = ServerFrames(response.body, wheel)
    response.body = answers
    client = ClientFrames(response.upgraded, answers, rules, limit, slices, lease)
    client.pace = Pace(wheel, rate, lambda: client.held, client.late)
    client.error_event = lambda error: event(error, request.route.api.dialect)
    answers.ended = client.stop
    response.upgraded = client
    return response


@implementer(IConsumer)
class ClientFrames:
    """
    What a client says, on its way to upstream.

    @param limit: bytes of a message.
    @ivar pace: at which a message must come.
    @ivar error_event: makes the text that tells the client of an error; C{b""} for none.
    """

    def __init__(
        self, upstream: IConsumer, answers: ServerFrames, rules: Rules, limit: int, slices: Slices, lease: Lease
    ) -> None:
        self._upstream = upstream
        self._answers = answers
        self._rules = rules
        self._limit = limit
        self._slices = slices
        self._lease = lease
        self._reader = FrameReader("client")
        self._control = b""
        self._raw = Gathered()
        self._payload = Gathered()
        self._waiting: list[bytes] = []
        self._judging: Deferred[None] | None = None
        self._producer: IPushProducer | None = None
        self._ended = False
        self.error_event: Any = lambda error: b""
        self.pace: Pace | None = None

    @property
    def held(self) -> int:
        """Bytes of the message that is not complete."""
        return self._raw.size

    def late(self) -> None:
        """Too little of it came."""
        self._refused(Failure(FrameError("a message must come faster", websocket.POLICY_VIOLATION)))

    def write(self, data: bytes) -> None:
        if self._ended:
            return
        self._waiting.append(data)
        self._go_on()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        self._producer = IPushProducer(producer)
        self._upstream.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self._producer = None
        self._upstream.unregisterProducer()

    def stop(self) -> None:
        """The connection is over; nothing of what is held back is of use."""
        self._ended = True
        judging, self._judging = self._judging, None
        self._forget()
        self._waiting.clear()
        if judging is not None:
            judging.cancel()

    def _go_on(self) -> None:
        while self._waiting and self._judging is None and not self._ended:
            self._run(self._steps(self._waiting.pop(0)))

    def _run(self, steps: Steps[None]) -> None:
        judging = self._judging = self._slices.run(steps)
        judging.addCallbacks(self._judged, self._refused)
        if self._judging is not None and self._producer is not None:
            self._producer.pauseProducing()

    def _judged(self, result: None) -> None:
        self._judging = None
        if self._producer is not None and not self._ended:
            self._producer.resumeProducing()
        self._go_on()

    def _refused(self, reason: Failure) -> None:
        self._judging = None
        if self._ended:
            return
        self.stop()
        error = reason.value
        if isinstance(error, FrameError):
            self._answers.finish(b"", websocket.close(error.code, str(error)))
        elif isinstance(error, ProxyError):
            code = websocket.TRY_AGAIN if isinstance(error, TooMuchWithheld) else websocket.POLICY_VIOLATION
            self._answers.finish(self.error_event(error), websocket.close(code, error.message))
        else:
            self._answers.fail(reason)

    # -- judging

    def _steps(self, data: bytes) -> Steps[None]:
        for number, part in enumerate(self._reader.feed(data), 1):
            if number % _A_SLICE == 0:
                yield
            if part.frame.control:
                self._pass_control(part)
            else:
                self._hold(part)
                if part.ends and part.frame.final:
                    yield from self._judge()

    def _pass_control(self, part: Part) -> None:
        self._control += part.raw
        if part.ends:
            frame, self._control = self._control, b""
            self._upstream.write(frame)

    def _hold(self, part: Part) -> None:
        if max(self._payload.size + len(part.payload), part.frame.size) > self._limit:
            raise FrameError(f"messages of up to {self._limit} bytes are checked", websocket.TOO_BIG)
        if not self._lease.take(2 * len(part.raw)):
            raise TooMuchWithheld()
        if self.pace is not None:
            self.pace.start()
        self._raw.add(part.raw)
        self._payload.add(part.payload)

    def _judge(self) -> Steps[None]:
        if self.pace is not None:
            self.pace.end()
        payload = self._payload.joined()
        if payload.strip(_BLANK):
            yield from jsonbody.inspection(payload, self._rules.bodies.root)
        raw = self._raw.joined()
        self._forget()
        self._upstream.write(raw)

    def _forget(self) -> None:
        self._raw.clear()
        self._payload.clear()
        self._lease.end()
        if self.pace is not None:
            self.pace.end()


@implementer(IBodyProducer, IConsumer)
class ServerFrames:
    """
    What upstream says, on its way to the client; frames of our own can end it.

    @ivar ended: called when there is no more.
    """

    def __init__(self, body: IBodyProducer, wheel: TimerWheel) -> None:
        self.length = body.length
        self._body = body
        self._wheel = wheel
        self._reader: FrameReader | None = FrameReader("server")
        self._last: tuple[bytes, bytes] | None = None
        self._deadline: Deadline | None = None
        self._consumer: IConsumer | None = None
        self._done: Deferred[None] | None = None
        self.ended: Any = lambda: None

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._consumer = consumer
        done = self._done = Deferred(lambda _: self.stopProducing())
        self._body.startProducing(self).addCallbacks(self._complete, self._broken)
        return done

    def pauseProducing(self) -> None:
        self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._body.resumeProducing()

    def stopProducing(self) -> None:
        self._end()
        self._body.stopProducing()

    def finish(self, text: bytes, close: bytes) -> None:
        """
        Say this behind the frame that is under way, and end.

        @param text: of a message; C{b""} for none.
        @param close: a whole close frame.
        """
        self._last = (text, close)
        if self._reader is None:
            self.fail(Failure(UpstreamReset("upstream does not send frames", progress="answered")))
        elif self._reader.between:
            self._say_last()
        else:
            self._deadline = self._wheel.start(
                LAST_FRAME, lambda: self.fail(Failure(UpstreamReset(progress="answered")))
            )

    def fail(self, reason: Failure) -> None:
        """End without a word: there is no place for one."""
        done = self._end()
        self._body.stopProducing()
        if done is not None:
            done.errback(reason)

    # -- called by the body within

    def write(self, data: bytes) -> None:
        consumer, reader = self._consumer, self._reader
        if consumer is None:
            return
        if reader is None:
            consumer.write(data)
            return
        passed: list[bytes] = []
        try:
            for part in reader.feed(data):
                passed.append(part.raw)
                if self._last is not None and part.ends:
                    break
        except FrameError:
            # That is between upstream and its client; there is only no place for a word of ours any more.
            self._reader = None
            consumer.write(data)
            return
        consumer.write(data if self._last is None else b"".join(passed))
        if self._last is not None and reader.between:
            self._say_last()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def _say_last(self) -> None:
        assert self._last is not None and self._reader is not None and self._consumer is not None
        text, close = self._last
        # Between the fragments of a message only control frames may stand, RFC 6455 section 5.4.
        if text and not self._reader.fragmented:
            self._consumer.write(websocket.frame(websocket.TEXT, text))
        self._consumer.write(close)
        done = self._end()
        self._body.stopProducing()
        if done is not None:
            done.callback(None)

    def _complete(self, result: object) -> None:
        done = self._end()
        if done is not None:
            done.callback(None)

    def _broken(self, reason: Failure) -> None:
        done = self._end()
        if done is not None:
            done.errback(reason)

    def _end(self) -> Deferred[None] | None:
        done, self._done = self._done, None
        self._consumer = None
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.end()
        self.ended()
        return done
