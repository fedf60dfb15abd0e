"""Tests for L{llmproxy.workers.supervisor}; tests/integration/test_workers.py has real processes."""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache.presence import of_parent
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.errors import ConfigError
from llmproxy.service import Settings
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.workers.child import Worker
from llmproxy.workers.connections import shared_connections
from llmproxy.workers.ipc import message, packed
from llmproxy.workers.supervisor import ANSWER_WITHIN, FIRST_FD, STEADY, Supervisor

from ..tables import row


class Process:
    """A process that the test is."""

    def __init__(self, protocol: Worker, fds: dict[int, Any]) -> None:
        self.protocol = protocol
        self.fds = fds
        self.pid = 4242
        self.told: list[bytes] = []
        self.signals: list[str] = []
        protocol.makeConnection(self)

    def writeToChild(self, fd: int, data: bytes) -> None:
        assert fd == 0
        self.told.append(data)

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)
        self.die(9)

    def say(self, kind: str, **values: Any) -> None:
        self.protocol.childDataReceived(3, message(kind, **values))

    def die(self, signal: int = 0) -> None:
        reason = ProcessTerminated(signal=signal) if signal else ProcessDone(0)
        self.protocol.processEnded(Failure(reason))


class Reactor(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.processes: list[Process] = []

    def spawnProcess(self, protocol: Worker, executable: str, args: Any, env: Any, childFDs: dict[int, Any]) -> None:
        self.arguments = args
        self.processes.append(Process(protocol, childFDs))


def options() -> Settings:
    return Settings(
        apis=APIConfig({"a": APIProviderConfig("http://127.0.0.1:1", ["/v1"], ["GET"])}, "a"),
        management_token="management-canary",
        encryption_key=b"key-canary" * 3,
        database_url="sqlite:///x",
        listen=[],
        drain_seconds=5.0,
    )


class SupervisorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.supervisor = Supervisor(self.reactor, options(), 2)
        self.supervisor.startService()

    def started(self) -> tuple[Process, Process]:
        self.reactor.processes[0].say("started")
        first, second = self.reactor.processes
        second.say("started")
        self.successResultOf(self.supervisor.started)
        return first, second

    def test_first_one_first(self) -> None:
        """The others start when the first one serves: it has migrated the database by then."""
        self.assertEqual(len(self.reactor.processes), 1)
        self.reactor.processes[0].say("started")
        self.assertEqual(len(self.reactor.processes), 2)
        self.assertNoResult(self.supervisor.started)

    def test_no_secret_in_arguments(self) -> None:
        """What everybody can read of a process tells no secret."""
        shown = " ".join(self.reactor.arguments)
        self.assertNotIn("canary", shown)

    def test_cannot_start(self) -> None:
        """What a worker says is wrong is what the parent says, and nothing is started again and again."""
        self.reactor.processes[0].say("failed", problems=["database x: cannot open"])
        self.reactor.processes[0].die(1)
        error = self.failureResultOf(self.supervisor.started, ConfigError).value
        self.assertEqual(str(error), "database x: cannot open")
        self.reactor.advance(60)
        self.assertEqual(len(self.reactor.processes), 1)

    def test_other_cannot_start(self) -> None:
        """What a later worker says is told as plainly as what the first one says."""
        self.reactor.processes[0].say("started")
        self.reactor.processes[1].say("failed", problems=["port 8080: taken"])
        error = self.failureResultOf(self.supervisor.started, ConfigError).value
        self.assertEqual(str(error), "port 8080: taken")

    def test_stopped_while_starting(self) -> None:
        """A worker that is stopped while it starts may fail at that: it is no reason to say anything."""
        self.reactor.processes[0].say("started")
        stopping = self.supervisor.stopService()
        self.reactor.processes[0].die()
        self.reactor.processes[1].say("failed", problems=["the database is not open"])
        self.reactor.processes[1].die()
        self.successResultOf(stopping)
        self.assertNoResult(self.supervisor.started)

    def test_killed_while_starting(self) -> None:
        """A first worker that is killed before it serves is replaced, less and less often, and the start goes on."""
        for number, wait in enumerate((0.1, 0.2), 1):
            self.reactor.processes[-1].die(9)
            with row(number):
                self.assertNoResult(self.supervisor.started)
            self.reactor.advance(wait - 0.01)
            self.assertEqual(len(self.reactor.processes), number, (number, wait))
            self.reactor.advance(0.01)
            self.assertEqual(len(self.reactor.processes), number + 1, (number, wait))
        self.reactor.processes[-1].say("started")
        self.assertNoResult(self.supervisor.started)
        self.reactor.processes[-1].say("started")
        self.successResultOf(self.supervisor.started)
        self.assertEqual(self.supervisor.restarts, 2)

    def test_other_killed_while_starting(self) -> None:
        """One that serves already is replaced too while another one is still starting, which may be killed as well."""
        first = self.reactor.processes[0]
        first.say("started")
        first.die(9)
        self.reactor.processes[1].die(15)
        self.reactor.advance(0.1)
        for process in self.reactor.processes[2:]:
            process.say("started")
        self.successResultOf(self.supervisor.started)
        self.assertEqual((self.supervisor.restarts, len(self.reactor.processes)), (2, 4))

    def test_cannot_start_again(self) -> None:
        """Once workers have served, one that says that it cannot is tried again: the rest serves on."""
        self.started()
        self.reactor.processes[-1].die(9)
        self.reactor.advance(0.1)
        self.reactor.processes[-1].say("failed", problems=["database x: cannot open"])
        self.reactor.processes[-1].die()
        self.reactor.advance(0.2)
        self.reactor.processes[-1].say("started")
        self.assertEqual((self.supervisor.restarts, len(self.reactor.processes)), (2, 4))

    def test_replaced(self) -> None:
        """A worker that dies is replaced; one that keeps dying is replaced less and less often."""
        self.started()
        waits = []
        for _ in range(4):
            self.reactor.processes[-1].die(9)
            waits.append(self.reactor.getDelayedCalls()[0].getTime() - self.reactor.seconds())
            self.reactor.advance(waits[-1])
            self.reactor.processes[-1].say("started")
        self.assertEqual([round(wait, 3) for wait in waits], [0.1, 0.2, 0.4, 0.8])
        self.assertEqual((self.supervisor.restarts, len(self.reactor.processes)), (4, 6))

    def test_steady_again(self) -> None:
        """One that has served for a while is replaced at once, whatever was before."""
        self.started()
        for _ in range(3):
            self.reactor.processes[-1].die(9)
            self.reactor.advance(1)
            self.reactor.processes[-1].say("started")
        self.reactor.advance(STEADY)
        self.reactor.processes[-1].die(9)
        [call] = self.reactor.getDelayedCalls()
        self.assertAlmostEqual(call.getTime() - self.reactor.seconds(), 0.1)

    def test_changes(self) -> None:
        """What one worker changes is told to the others, and not back to it."""
        first, second = self.started()
        told = len(first.told)
        first.say("changed", what="token", which="t-1")
        self.assertEqual(second.told[-1], message("changed", what="token", which="t-1"))
        self.assertEqual(len(first.told), told)

    def test_removed(self) -> None:
        """What one worker's cache lets go of, the others' do too."""
        first, second = self.started()
        first.say("removed", keys=[["a", "t", "GET", "/x", ""]])
        self.assertEqual(second.told[-1], message("removed", keys=[["a", "t", "GET", "/x", ""]]))

    def test_marks(self) -> None:
        """Each worker has the table of what all hold; one that died holds nothing any more, what others hold stays."""
        marks = []
        for column, process in enumerate(self.started()):
            marks.append(of_parent(os.dup(process.fds[FIRST_FD]), 2, column))
            marks[-1].add(b"/%d" % column)
        for column, process in enumerate(self.reactor.processes):
            self.assertIn(b'"marks":[%d,2,%d]' % (FIRST_FD, column), process.told[0])
        self.reactor.processes[0].die(9)
        self.assertEqual([marks[1].may_hold(b"/%d" % column) for column in range(2)], [False, True])

    def test_connections(self) -> None:
        """Each worker counts in the table of all; one that died has no connections any more, which makes room."""
        counted = []
        for process in self.started():
            fd, *rest = json.loads(process.told[0])["connections"]
            counted.append(shared_connections(os.dup(process.fds[fd]), *rest)[0])
        self.assertEqual([each.add("192.0.2.1")[0] for each in counted], [1, 2])
        self.reactor.processes[0].die(9)
        self.assertEqual(counted[1].add("192.0.2.1")[0], 2)

    def test_purge(self) -> None:
        """Who purges hears how many all the others had; one that is stuck is not waited for."""
        first, second = self.started()
        wanted: dict[str, Any] = {"api": None, "tenant": "p1", "start": "/v1"}
        first.say("purge_others", number=7, **wanted)
        self.assertEqual(second.told[-1], message("purge", number=1, **wanted))
        second.say("purged", number=1, count=3)
        self.assertEqual(first.told[-1], message("purged", number=7, count=3))
        first.say("purge_others", number=8, **wanted)
        self.reactor.advance(ANSWER_WITHIN)
        self.assertEqual(first.told[-1], message("purged", number=8, count=0))

    def test_flush(self) -> None:
        """Who shows counts hears when all the others have written theirs; one that is stuck is not waited for."""
        first, second = self.started()
        first.say("flush_others", number=7)
        self.assertEqual(second.told[-1], message("flush", number=1))
        self.assertNotEqual(first.told[-1], message("flushed", number=7))
        second.say("flushed", number=1)
        self.assertEqual(first.told[-1], message("flushed", number=7))
        first.say("flush_others", number=8)
        self.reactor.advance(ANSWER_WITHIN)
        self.assertEqual(first.told[-1], message("flushed", number=8))

    def test_drained(self) -> None:
        """What one worker drains all do, and the one that replaces a worker that died; undrained ones too."""
        first, second = self.started()
        azure = {"api": "openai", "upstream": "azure"}
        first.say("drain_others", number=7, **azure, drained=True)
        self.assertEqual(second.told[-1], message("drain", number=1, **azure, drained=True))
        self.assertNotEqual(first.told[-1], message("drained", number=7))
        second.say("drained", number=1)
        self.assertEqual(first.told[-1], message("drained", number=7))
        first.die(9)
        self.reactor.advance(60)
        third = self.reactor.processes[-1]
        self.assertEqual(json.loads(third.told[0])["drained"], [["openai", "azure"]])
        third.say("started")
        second.say("drain_others", number=8, **azure, drained=False)
        third.die(9)
        self.reactor.advance(60)
        self.assertEqual(json.loads(self.reactor.processes[-1].told[0])["drained"], [])

    def test_metrics(self) -> None:
        """The numbers of all add up; a worker that does not answer is left out after a second."""
        first, _ = self.started()
        asking = self.supervisor.all_metrics()
        numbers = ProxyMetrics(5.0)
        numbers.request_count = 3
        first.say("metrics", number=1, metrics=packed(numbers.plain()))
        self.assertNoResult(asking)
        self.reactor.advance(ANSWER_WITHIN)
        total = self.successResultOf(asking)
        self.assertEqual((total.request_count, total.started_at), (3, 5.0))

    def test_stops_one_after_another(self) -> None:
        """One worker drains while the others serve; all of them have one limit together."""
        first, second = self.started()
        stopping = self.supervisor.stopService()
        self.assertEqual(first.told[-1], message("stop", seconds=5.0, succeeded=False))
        self.assertNotIn(b"stop", second.told[-1])
        self.reactor.advance(2)
        first.die()
        self.assertEqual(second.told[-1], message("stop", seconds=3.0, succeeded=False))
        second.die()
        self.successResultOf(stopping)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(self.reactor.processes), 2)

    def test_signals(self) -> None:
        """What a signal asks for reaches every worker; a second one leaves those that still serve no time to drain."""
        first, second = self.started()
        self.supervisor.reopen_logs()
        stopping = self.supervisor.stopService()
        self.supervisor.end_drain()
        for worker in (first, second):
            self.assertIn(message("reopen_logs"), worker.told)
            self.assertIn(message("leave"), worker.told)
            self.assertIn(message("end_drain"), worker.told)
        first.die()
        self.assertEqual(second.told[-1], message("stop", seconds=0.0, succeeded=False))
        second.die()
        self.successResultOf(stopping)

    def test_stuck(self) -> None:
        """One that does not end is killed."""
        first, second = self.started()
        stopping = self.supervisor.stopService()
        self.reactor.advance(5.0 + 20.0)
        self.assertEqual(first.signals, ["KILL"])
        second.die()
        self.successResultOf(stopping)
