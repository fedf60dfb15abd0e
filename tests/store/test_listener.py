"""Being woken; with a real server in L{tests.integration.test_everywhere}."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, execute, fail
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.listener import Listener


class Connection:
    """A connection of psycopg whose other end the test holds."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.pgconn = self
        self.heard: list[bytes] = []

    def fileno(self) -> int:
        return self.ours.fileno()

    def consume_input(self) -> None:
        data = self.ours.recv(100)
        if not data:
            self.ours.close()
            raise OSError("the server closed it")
        self.heard += [data]

    def notifies(self) -> object:
        return self.heard.pop() if self.heard else None

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


class Reactor:
    """Notes who wants to read."""

    def __init__(self) -> None:
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        # As a real one: by the number, which must still be the reader's own.
        assert reader.fileno() >= 0
        self.readers.remove(reader)


class EarTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.connections: list[Connection] = []
        self.woken = 0
        self.ear = Listener(self.reactor, self.connect, execute, self.wake)
        self.addCleanup(lambda: [each.close() for each in self.connections])

    def connect(self) -> Connection:
        self.connections.append(Connection())
        return self.connections[-1]

    def wake(self) -> None:
        self.woken += 1

    def test_woken(self) -> None:
        """Once when it begins to listen, for what was told to nobody; then for each time that something is heard."""
        self.ear.start()
        self.assertEqual(self.woken, 1)
        self.connections[0].theirs.send(b"x")
        self.reactor.readers[0].doRead()
        self.assertEqual(self.woken, 2)
        self.ear.start()
        self.assertEqual(len(self.connections), 1)

    def test_lost(self) -> None:
        """A connection that is lost is let go of, and replaced when somebody asks."""
        self.ear.start()
        self.connections[0].theirs.close()
        self.reactor.readers[0].doRead()
        self.assertEqual(self.reactor.readers, [])
        self.ear.start()
        self.assertEqual((len(self.connections), len(self.reactor.readers)), (2, 1))

    def test_cannot_connect(self) -> None:
        """That it cannot listen is no reason for anything; it may try again."""
        ear = Listener(self.reactor, self.connect, lambda call: fail(OSError("away")), self.wake)
        ear.start()
        ear.start()
        self.assertEqual((self.woken, self.connections), (0, []))

    def test_stopped(self) -> None:
        """Nothing is open when it has stopped, also where it was about to connect."""
        self.ear.start()
        self.ear.stop()
        self.assertEqual(self.reactor.readers, [])
        connecting: Deferred[Any] = Deferred()
        ear = Listener(self.reactor, self.connect, lambda call: connecting, self.wake)
        ear.start()
        ear.stop()
        connecting.callback(self.connect())
        self.assertEqual((self.reactor.readers, self.connections[-1].ours.fileno()), ([], -1))
