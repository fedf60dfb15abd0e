"""The reactor of a command: runs a service until it fails to start or is stopped."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import globalLogBeginner
from twisted.python.failure import Failure

from ..app.serverlog import ServerLog
from ..app.signals import ProcessSignals
from ..app.startup import explain, settle
from ..core.masking import Masking


def log_to_stderr(level: str = "info", form: str = "text", masking: Masking | None = None) -> ServerLog:
    """What Twisted and we log goes to stderr; stdout belongs to the access log. See L{ServerLog}."""
    log = ServerLog(_write, form, level, masking)
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    return log


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def run_service(reactor: Any, service: Any) -> int:
    """
    Start C{service}, run the reactor, stop C{service} with it.

    @param service: its C{started} fires, or fails with a L{llmproxy.errors.ConfigError}.
    @return: the status for the process to end with.
    """
    ProcessSignals(reactor, service).install()

    def start() -> Deferred[Any]:
        stopping: list[bool] = []

        def stop() -> Any:
            stopping.append(True)
            return service.stopService()

        reactor.addSystemEventTrigger("before", "shutdown", stop)
        service.startService()
        started: Deferred[Any] = service.started
        # What is stopped while it starts does not fail.
        return started.addCallbacks(lambda _: settle(), lambda reason: None if stopping else reason)

    return run_until_failure(reactor, start)


def run_until_failure(reactor: Any, start: Any) -> int:
    """
    Run the reactor; a failure of what C{start} returns ends it.

    What failed is printed on stderr. Ctrl-C is a way to end well.
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
