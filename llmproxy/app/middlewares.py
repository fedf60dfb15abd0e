"""
Middlewares that stand by themselves: each works around any responder, in a chain of an application's own or at a place
of its own in the proxy's.

Times are those of C{seconds}, any steady clock; a test gives that of its C{twisted.internet.task.Clock}.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..apisettings import BreakerSettings
from ..core.masking import mask
from ..middleware.checking.inspection import Inspection
from ..middleware.circuitbreaker import CircuitBreaker, is_failure_status
from ..middleware.deadline import Deadlines
from ..middleware.observation import ObserveExchanges
from ..middleware.projectguard import ProjectGuard
from ..middleware.validation import RequestValidation
from ..net.timers import TimerWheel
from ..origin import Timeouts

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.logger import Logger

    from ..composition import Middleware
    from ..config import ProxyConfig
    from ..interfaces import IAuditLogger, IProjectActiveChecker, Responder
    from ..message import ApiRequest, ApiResponse, Record
    from ..sinks.metrics import ProxyMetrics


def request_logging(logger: Logger, *, seconds: Callable[[], float] = time.monotonic) -> Middleware:
    """
    One line at C{info} for each exchange, when its body has ended: method, path (without its query, secrets masked),
    status, bytes, seconds, and how it ended if it did not end well.
    """

    def log(record: Record) -> None:
        logger.info(
            "{method} {path} {status} {bytes_out} B {seconds:.3f} s {ended}",
            method=mask(record.method),
            path=mask(record.path),
            status=record.status,
            bytes_in=record.bytes_in,
            bytes_out=record.bytes_out,
            seconds=record.duration,
            ended=record.ended,
            error_code=record.error_code,
            request_id=record.request_id,
        )

    return ObserveExchanges(seconds, log)


def request_metrics(metrics: ProxyMetrics, *, seconds: Callable[[], float] = time.monotonic) -> Middleware:
    """Count each exchange in C{metrics}, when its body has ended."""
    return ObserveExchanges(seconds, lambda record: metrics.record_batch([record]))


def request_timeout(reactor: Any, seconds: float) -> Middleware:
    """
    Give an exchange so many seconds, from its request to the last byte of its answer.

    Before the head it fails with L{UpstreamTimeout} (504) and what is further in is cancelled; an answer that has begun
    is cut. It is noticed within a tenth of a second.

    @raise ValueError: C{seconds} is not above 0.
    """
    if not seconds > 0:
        raise ValueError(f"a request cannot have {seconds} seconds")
    timeouts = Timeouts(connect=None, response_header=None, silence=None, request=seconds)
    return Deadlines(TimerWheel(reactor, min(0.1, seconds)), timeouts)


def request_validation(reactor: Any, config: ProxyConfig) -> Middleware:
    """
    Check each request by the rules of one API: methods, endpoints, origins, required fields, parameters.

    What breaks them fails as in the proxy, with the status and code of its L{ProxyError}. Bodies are read only where a
    C{param_whitelist} holds, and go on as the same bytes.

    @raise ConfigError: what is wrong with C{config}.
    """
    return RequestValidation(Inspection(reactor, TimerWheel(reactor)), config.compiled())


def circuit_breaker(
    threshold: int = 5,
    cooldown: float = 30.0,
    is_transient: Callable[[int], bool] | None = None,
    *,
    seconds: Callable[[], float] = time.monotonic,
) -> CircuitBreaker:
    """
    One circuit for all that passes here. After C{threshold} failures in a row requests are refused with L{BreakerOpen}
    (503) for C{cooldown} seconds; then one of them tries, and its answer decides.

    @param is_transient: whether a status is a failure; 502, 503 and 504 are, if it is not given.
    """
    settings = BreakerSettings(threshold=threshold, cooldown=cooldown)
    return CircuitBreaker(seconds, settings, is_failure_status if is_transient is None else is_transient)


def project_active_guard(
    enforce: bool, checker: IProjectActiveChecker | None, audit: IAuditLogger | None = None
) -> Middleware:
    """
    Refuse the requests of projects that are not active with L{ProjectInactive} (403), and those of which it cannot be
    found out with L{Unavailable} (503); both are noted in C{audit}.

    It stands inside of what sets C{request.principal}.

    @param enforce: C{False} lets everything pass, and asks nobody.
    @raise TypeError: it is enforced, and there is nobody to ask.
    """
    if not enforce:
        return _Open()
    if checker is None:
        raise TypeError("a project guard that is enforced needs a checker")
    return ProjectGuard(checker, audit)


class _Open:
    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        return inner(request)
