"""Events of exchanges for an application of its own chain, as the reference's observability middleware has them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThreadPool

from ..config.capture import CaptureConfig
from ..core.fields import without
from ..core.masking import Masking
from ..core.notable import CAPTURE, section_of
from ..core.redaction.redactor import Redactor
from ..errors import ConfigError
from ..middleware.capture import CapturedExchange, CapturePlan, Held, opts_out
from ..middleware.observation import ObserveExchanges
from ..sinks.exchangeevents import ExchangeEvents

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..composition import Middleware
    from ..core.events import Event
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Record


def _tuple(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(values)


@frozen
class ObservabilityConfig:
    """
    The reference's, with what C{capture:} of a configuration file knows besides.

    @ivar enabled: C{False} publishes nothing.
    @ivar event_bus: what gets the events: C{publish(events)} is called with them, a L{llmproxy.EventBus} for example.
    @ivar max_request_body_bytes: of each request; 0 keeps none, and so does C{capture_bodies=False} of both.
    @ivar max_response_body_bytes: of each answer.
    @ivar capture_bodies: whether events have what was said; C{False} is metadata only.
    @ivar headers: fields that events have; none that carries a credential.
    @ivar sample: the part of the exchanges whose events have what was said.
    @ivar redact: what is taken out of that: C{"$.user"}, C{"email"}, C{{"regex": "..."}}.
    @ivar opt_out: a client may refuse it with C{X-LLMProxy-Capture: off}.
    """

    event_bus: Any
    enabled: bool = True
    max_request_body_bytes: int = 64 * 1024
    max_response_body_bytes: int = 256 * 1024
    capture_bodies: bool = True
    headers: Sequence[str] = field(default=(), converter=_tuple)
    sample: float = 1.0
    redact: Sequence[str | Mapping[str, str]] = field(default=(), converter=_tuple)
    opt_out: bool = False

    def capture(self) -> CaptureConfig:
        """The same as C{capture:} of a configuration file says it."""
        return CaptureConfig(
            self.capture_bodies,
            self.max_request_body_bytes,
            self.max_response_body_bytes,
            self.headers,
            self.sample,
            self.redact,
            self.opt_out,
        )


def observability(
    reactor: Any,
    config: ObservabilityConfig,
    secrets: Iterable[str] = (),
    *,
    seconds: Callable[[], float] = time.monotonic,
) -> Middleware:
    """
    Publish an event for each exchange, when its body has ended, whatever became of it. Nothing waits for it: what was
    said is read on a thread of the reactor.

    @param secrets: texts that stand in no event, beside all that looks like a secret.
    @raise ConfigError: what is wrong with C{config}.
    """
    capture = config.capture()
    problems = [f"headers: {name} carries a credential, and is never captured" for name in capture.credentials(())]
    problems += [
        f"{name}: expected a number of bytes, got {size!r}"
        for name, size in (("max_request_body_bytes", capture.request), ("max_response_body_bytes", capture.response))
        if not isinstance(size, int) or size < 0
    ]
    if not 0 <= capture.sample <= 1:
        problems.append(f"sample: expected a number from 0 to 1, got {capture.sample!r}")
    if not callable(getattr(config.event_bus, "publish", None)):
        problems.append("event_bus: expected something with publish(events)")
    if problems:
        raise ConfigError(*problems)
    try:
        settings = capture.settings()
    except ValueError as error:
        raise ConfigError(f"redact: {error}") from None
    if not config.enabled:
        return _Nothing()
    masking = Masking(secrets)
    plan = None if settings is None else CapturePlan(settings, Redactor(settings.redact, masking, seconds), Held())
    return Observability(reactor, config.event_bus, plan, masking, seconds)


class _Nothing:
    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        return inner(request)


class Observability:
    """
    @param plan: what is captured; C{None} for nothing.
    """

    def __init__(
        self, reactor: Any, bus: Any, plan: CapturePlan | None, masking: Masking, seconds: Callable[[], float]
    ) -> None:
        self._plan = plan
        self._masking = masking
        self._seconds = seconds
        self._draw = random.random
        self._events = ExchangeEvents(reactor, _Published(bus), _runner(reactor))

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        refuses = opts_out(request.fields)
        if refuses or any(name.lower() == CAPTURE for name, _ in request.fields):
            request.fields = section_of(without(request.fields, (CAPTURE,)))
        plan = self._plan
        captured = None
        if plan is not None and not (plan.opt_out and refuses) and self._draw() < plan.sample:
            captured = CapturedExchange(plan, request)

        def observe(record: Record) -> None:
            record.captured = captured
            self._events.record_batch([self._masking.record(record)])

        def respond(request: ApiRequest) -> Deferred[ApiResponse]:
            responding = maybeDeferred(inner, request)
            return responding if captured is None else responding.addCallback(captured.head)

        return ObserveExchanges(self._seconds, observe).respond(request, respond)


class _Published:
    """An application's bus, which knows of no sizes."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus

    def publish(self, events: Sequence[Event], sizes: Sequence[int] | None = None) -> None:
        self._bus.publish(events)


def _runner(reactor: Any) -> Callable[..., Deferred[Any]]:
    """Calls a function on a thread; where the reactor has none, as in tests, where it stands."""
    if not hasattr(reactor, "getThreadPool"):
        return maybeDeferred

    def run(call: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), call, *arguments)

    return run
