"""Tests of the settler of a busy proxy, without a process."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from llmproxy.app.settler import ANSWERS_WITHIN, CALM, LEAVES_WITHIN, STARTS_AGAIN, Settler, SettlerProcess, settled_by
from llmproxy.core.ledger.entry import Entry
from llmproxy.errors import OutcomeUnknown, Unavailable
from llmproxy.interfaces import IUsageRecords
from llmproxy.store.settlerloop import LONGEST, READY, Answer, framed, read

from ..ledger.fakes import FakeRecords
from ..store.databases import NOW
from ..tables import row
from ..usagereports import an_entry

URL = "postgresql://u:password-canary@127.0.0.1/x"
BATCH = [an_entry(number, NOW) for number in range(500)]


class Process:
    """
    The transport of a settler.

    @ivar written: what was written to it.
    """

    def __init__(self, protocol: SettlerProcess) -> None:
        self.protocol = protocol
        self.written = b""
        self.pid: int | None = 1
        self.closed = False
        self.signals: list[str] = []

    def writeToChild(self, fd: int, data: bytes) -> None:
        assert fd == 0, fd
        self.written += data

    def closeStdin(self) -> None:
        self.closed = True

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)
        self.end(9)

    def messages(self) -> list[bytes]:
        source, found = BytesIO(self.written), []
        while (each := read(source)) is not None:
            found.append(each)
        return found

    def say(self, *answers: Answer) -> None:
        self.protocol.childDataReceived(1, b"".join(framed(msgspec.msgpack.encode(each)) for each in answers))

    def end(self, signal: int = 0) -> None:
        if self.pid is not None:
            self.pid = None
            self.protocol.processEnded(Failure(ProcessTerminated(signal=signal) if signal else ProcessDone(0)))


@implementer(IReactorProcess)
class Reactor(Clock):
    """@ivar spawned: the processes, with their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.spawned: list[tuple[Process, Any]] = []

    def spawnProcess(self, processProtocol: Any, executable: Any, args: Any = (), env: Any = None, **more: Any) -> Any:
        process = Process(processProtocol)
        self.spawned.append((process, args))
        processProtocol.makeConnection(process)
        return process


class Said:
    """A log: what it was given to say."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str, **values: Any) -> None:
        self.lines.append(text.format(**values))


class SettlerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.said = Said()
        self.patch(Settler, "_log", self.said)
        self.reactor = Reactor()
        self.records = FakeRecords()
        self.settler = Settler(self.reactor, self.records, URL)

    def settle(self, batch: Sequence[Entry] = BATCH) -> Deferred[Any]:
        return self.settler.settle(batch)

    def busy(self) -> Process:
        """One that is ready."""
        for _ in range(2):
            self.successResultOf(self.settle())
        process, _ = self.reactor.spawned[-1]
        process.say(Answer(READY))
        return process

    def test_not_busy(self) -> None:
        """Some records a second are written in this process, however long that goes on."""
        for _ in range(50):
            self.successResultOf(self.settle(BATCH[:400]))
            self.reactor.advance(1)
        self.assertEqual((self.reactor.spawned, len(self.records.batches)), ([], 50))

    def test_busy(self) -> None:
        """With many a process is started; until it is ready this one goes on, and then it has them."""
        for _ in range(3):
            self.successResultOf(self.settle())
        [(process, arguments)] = self.reactor.spawned
        process.say(Answer(READY))
        asked = self.settle()
        self.assertNoResult(asked)
        process.say(Answer(count=499))
        self.assertEqual((self.successResultOf(asked), len(self.records.batches)), (499, 3))
        url, batch = process.messages()
        self.assertEqual(url, URL.encode())
        self.assertEqual(msgspec.msgpack.decode(batch, type=list[Entry]), BATCH)
        self.assertNotIn("canary", repr(arguments))

    def test_in_order(self) -> None:
        """Answers are for the batches in the order in which they were asked, also if they come in pieces."""
        process = self.busy()
        first, second = self.settle(), self.settle()
        content = b"".join(framed(msgspec.msgpack.encode(Answer(count=count))) for count in (1, 2))
        for at in range(len(content)):
            process.protocol.childDataReceived(1, content[at : at + 1])
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (1, 2))

    def test_calm(self) -> None:
        """It ends a minute after there were many, by the end of its input; then this process writes again."""
        process = self.busy()
        self.reactor.advance(CALM - 1)
        self.assertFalse(process.closed)
        self.reactor.advance(1)
        self.assertTrue(process.closed)
        self.successResultOf(self.settle(BATCH[:1]))
        process.end()
        self.assertEqual((process.signals, self.reactor.getDelayedCalls()), ([], []))

    def test_busy_for_long(self) -> None:
        """As long as there are many it stays."""
        process = self.busy()
        for _ in range(int(CALM)):
            for _ in range(2):
                asked = self.settle()
                process.say(Answer(count=500))
                self.successResultOf(asked)
            self.reactor.advance(3)
        self.assertEqual((process.closed, len(self.reactor.spawned)), (False, 1))

    def test_problem(self) -> None:
        """What it could not write fails as in this process, which writes for a minute then."""
        for problem, expected in (("unavailable", Unavailable), ("unknown", OutcomeUnknown), ("fault", OutcomeUnknown)):
            with row(problem):
                self.setUp()
                process = self.busy()
                asked = self.settle()
                process.say(Answer(problem, "words"))
                self.assertIn("words", str(self.failureResultOf(asked, expected).value))
                self.assertTrue(process.closed)
                self.again(process)

    def test_killed(self) -> None:
        """If it is killed, what it had not answered fails, to be tried again; it is started anew after a minute."""
        process = self.busy()
        first, second = self.settle(), self.settle()
        process.end(9)
        for asked in (first, second):
            self.failureResultOf(asked, OutcomeUnknown)
        [line] = self.said.lines
        self.assertIn("signal 9", line)
        self.again(process)

    def test_cannot_start(self) -> None:
        """If it cannot open the database, its last line says why, and records are written here."""
        for _ in range(2):
            self.successResultOf(self.settle())
        [(process, _)] = self.reactor.spawned
        process.protocol.childDataReceived(2, b"Traceback:\n  x\nUnavailable: no such database\n")
        process.end(1)
        self.successResultOf(self.settle())
        self.assertIn("Unavailable: no such database", self.said.lines[0])
        self.again(process)

    def test_cannot_be_started(self) -> None:
        """Where no process can be had, the records are written here."""

        def refused(*args: object, **more: object) -> None:
            raise OSError(11, "Resource temporarily unavailable")

        self.patch(self.reactor, "spawnProcess", refused)
        for _ in range(3):
            self.successResultOf(self.settle())
        self.assertEqual(len(self.records.batches), 3)
        self.assertIn("Resource temporarily unavailable", self.said.lines[0])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stuck(self) -> None:
        """One that does not answer is killed."""
        process = self.busy()
        asked = self.settle()
        self.reactor.advance(ANSWERS_WITHIN - 1)
        self.assertNoResult(asked)
        self.reactor.advance(1)
        self.failureResultOf(asked, OutcomeUnknown)
        self.assertEqual(process.signals, ["KILL"])

    def test_nonsense(self) -> None:
        """One that says what is no answer is killed."""
        process = self.busy()
        asked = self.settle()
        for content in (b"\xff" * 8, framed(b"\xc1")):
            process.protocol.childDataReceived(1, content)
        self.failureResultOf(asked, OutcomeUnknown)
        self.assertEqual(process.signals, ["KILL"])
        self.assertLess(LONGEST, int.from_bytes(b"\xff" * 4, "big"))

    def test_stopped(self) -> None:
        """A stop waits until it is gone; no other one is started."""
        process = self.busy()
        stopped = self.settler.stop()
        self.assertNoResult(stopped)
        self.assertTrue(process.closed)
        process.end()
        self.successResultOf(stopped)
        for _ in range(3):
            self.successResultOf(self.settle())
        self.assertEqual((len(self.reactor.spawned), self.reactor.getDelayedCalls()), (1, []))

    def test_stopped_and_stuck(self) -> None:
        """A stop waits for a bounded time."""
        process = self.busy()
        stopped = self.settler.stop()
        self.reactor.advance(LEAVES_WITHIN)
        self.successResultOf(stopped)
        self.assertEqual((process.signals, self.reactor.getDelayedCalls()), (["KILL"], []))

    def test_without_signals(self) -> None:
        """Where a reactor does not hear of the end of a process, the end of its output is enough."""
        process = self.busy()
        stopped = self.settler.stop()
        process.protocol.childConnectionLost(1)
        self.reactor.advance(1)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stopped_without(self) -> None:
        self.successResultOf(self.settler.stop())

    def test_where(self) -> None:
        """A database that is in this process is written by this process; so is one in a reactor without processes."""
        for reactor, is_shared, expected in (
            (Reactor(), True, True),
            (Reactor(), False, False),
            (Clock(), True, False),
        ):
            with row(reactor, is_shared):
                found: IUsageRecords = settled_by(reactor, self.records, URL, is_shared=is_shared)
                self.assertEqual(isinstance(found, Settler), expected)

    def again(self, process: Process) -> None:
        """There is none for a minute, and then one again."""
        process.end()
        for _ in range(3):
            self.successResultOf(self.settle())
        self.assertEqual(len(self.reactor.spawned), 1)
        self.reactor.advance(STARTS_AGAIN)
        for _ in range(2):
            self.successResultOf(self.settle())
        self.assertEqual(len(self.reactor.spawned), 2)
