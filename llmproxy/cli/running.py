"""Running the reactor for a service, until it fails to start or is told to stop."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.python.failure import Failure

from ..starting import explain, relieve_collector


def log_to_stderr(level: LogLevel = LogLevel.info) -> None:
    """What Twisted and we log goes to stderr; stdout belongs to the access log."""
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(level)])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


def run_service(reactor: Any, service: Any) -> int:
    """
    Start C{service}, run the reactor, stop C{service} with it.

    @param service: its C{started} fires, or fails with a L{llmproxy.errors.ConfigError}.
    @return: the status for the process to end with.
    """
    log_to_stderr()

    def start() -> Deferred[Any]:
        reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
        service.startService()
        started: Deferred[Any] = service.started
        return started.addCallback(lambda _: relieve_collector())

    return run_until_failure(reactor, start)


def run_until_failure(reactor: Any, start: Any) -> int:
    """
    Run the reactor; a failure of what C{start} returns ends it.

    What failed is told on stderr. Ctrl-C is a way to end well.
    """
    failed: list[str] = []

    def stop(reason: Failure) -> None:
        failed.append(explain(reason))
        reactor.callWhenRunning(reactor.stop)

    reactor.callWhenRunning(lambda: maybeDeferred(start).addErrback(stop))
    reactor.run()
    for words in failed:
        print(words, file=sys.stderr)
    return 1 if failed else 0
