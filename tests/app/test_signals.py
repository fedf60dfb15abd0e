"""Tests for L{llmproxy.app.signals}."""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.signals import SAME, ProcessSignals, Undrained

_TAKEN = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class FakeReactor(Clock):
    """Runs, and notes what stops it."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Any] = []
        self.triggers: list[Any] = []

    def stop(self) -> None:
        self.log.append("stop")

    def end_drain(self) -> None:
        self.log.append("end_drain")

    def reopen_logs(self) -> None:
        self.log.append("reopen_logs")

    def reload(self) -> None:
        self.log.append("reload")

    def addSystemEventTrigger(self, phase: str, event: str, call: Any) -> None:
        self.triggers.append((phase, event, call))

    def callWhenRunning(self, call: Any, *args: Any) -> None:
        call(*args)

    def callFromThread(self, call: Any, *args: Any) -> None:
        self.callLater(0, call, *args)


class ProcessSignalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        for number in _TAKEN:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
            signal.signal(number, signal.SIG_DFL)
        self.reactor = FakeReactor()

    def install(self, terminal: bool = True) -> None:
        ProcessSignals(self.reactor, self.reactor, lambda: terminal).install()
        self.reactor.advance(0)

    def send(self, *numbers: signal.Signals) -> list[Any]:
        """What the signals did."""
        for number in numbers:
            self.reactor.advance(2 * SAME)
            signal.raise_signal(number)
            self.reactor.advance(0)
        done, self.reactor.log = self.reactor.log, []
        return done

    def test_second(self) -> None:
        """The first one stops, each further one ends the drain; the reactor is stopped once, whatever comes."""
        for first in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.install()
            self.assertEqual(self.send(first), ["stop"], first)
            self.assertEqual(self.send(signal.SIGTERM, signal.SIGINT), ["end_drain", "end_drain"], first)
            self.assertEqual(self.send(signal.SIGHUP), [], first)
            for number in _TAKEN:
                signal.signal(number, signal.SIG_DFL)

    def test_sent_twice_at_once(self) -> None:
        """What sends a signal to a process and to its group means it once."""
        self.install()
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
            self.reactor.advance(SAME / 5)
        self.assertEqual(self.reactor.log, ["stop"])
        self.assertEqual(self.send(signal.SIGTERM), ["stop", "end_drain"])

    def test_stopped_by_other_means(self) -> None:
        """A signal while the reactor stops already, after a start that failed for example, stops it no second time."""
        self.install()
        [(phase, event, begun)] = self.reactor.triggers
        self.assertEqual((phase, event), ("before", "shutdown"))
        begun()
        self.assertEqual(self.send(signal.SIGTERM), ["end_drain"])

    def test_reactors_own(self) -> None:
        """The reactor's handler is called once, so that twistd knows which signal ended it."""
        signal.signal(signal.SIGTERM, lambda number, frame: self.reactor.log.append(number))
        self.install()
        self.assertEqual(self.send(signal.SIGTERM, signal.SIGTERM), [signal.SIGTERM, "end_drain"])

    def test_logs(self) -> None:
        """C{SIGUSR1} opens logs anew, those of twistd too, and stops nothing."""
        signal.signal(signal.SIGUSR1, lambda number, frame: self.reactor.log.append("rotated"))
        self.install()
        self.assertEqual(self.send(signal.SIGUSR1, signal.SIGUSR1), ["rotated", "reopen_logs"] * 2)

    def test_reload(self) -> None:
        """Without a terminal that could be closed C{SIGHUP} reloads, as often as it comes, until the process stops."""
        self.install(terminal=False)
        self.assertEqual(self.send(signal.SIGHUP, signal.SIGHUP), ["reload", "reload"])
        self.assertEqual(self.send(signal.SIGTERM, signal.SIGHUP), ["stop"])

    def test_ignored(self) -> None:
        """What a shell or C{nohup} has told the process to ignore stays ignored."""
        for number in _TAKEN:
            signal.signal(number, signal.SIG_IGN)
        self.install()
        self.assertEqual(self.send(*_TAKEN), [])

    def test_undrained(self) -> None:
        """What has nothing to drain hears all of them and does nothing more."""
        ProcessSignals(self.reactor, Undrained(), lambda: False).install()
        self.reactor.advance(0)
        self.assertEqual(self.send(signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM, signal.SIGTERM), ["stop"])

    def test_not_before_the_reactor(self) -> None:
        """Nothing is taken before the reactor runs: it would be replaced."""
        ProcessSignals(self.reactor, self.reactor).install()
        self.assertIs(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)
