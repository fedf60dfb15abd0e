"""One connection to Redis, both ends in memory."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.redisoptions import RedisLocation
from llmproxy.errors import ConfigError
from llmproxy.net.poller import Poller
from llmproxy.redis.commands import command
from llmproxy.redis.connection import Connector, RedisConnection, RedisDown, RedisRefused

from ..tables import row


class _Transport(StringTransport):
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class RedisConnectionTests(SynchronousTestCase):
    def connect(self, **location: Any) -> RedisConnection:
        self.transport = _Transport()
        self.connection = RedisConnection(RedisLocation(**location))
        self.connection.makeConnection(self.transport)
        return self.connection

    def exchange(self, sent: bytes, reply: bytes) -> None:
        self.assertEqual(self.transport.value(), sent)
        self.transport.clear()
        self.connection.dataReceived(reply)

    def ready(self, **location: Any) -> RedisConnection:
        self.connect(**location)
        self.exchange(command(b"PING"), b"+PONG\r\n")
        return self.successResultOf(self.connection.ready)

    def lose(self) -> None:
        self.connection.connectionLost(Failure(ConnectionDone()))

    def test_ready(self) -> None:
        """It is used once it has answered."""
        self.connect()
        self.assertNoResult(self.connection.ready)
        self.exchange(command(b"PING"), b"+PONG\r\n")
        self.assertIs(self.successResultOf(self.connection.ready), self.connection)

    def test_logs_in(self) -> None:
        """User, password and database come first."""
        self.connect(username="me", password="pw", database=3)
        self.exchange(command(b"AUTH", b"me", b"pw"), b"+OK\r\n")
        self.exchange(command(b"SELECT", b"3"), b"+OK\r\n")
        self.exchange(command(b"PING"), b"+PONG\r\n")
        self.successResultOf(self.connection.ready)

    def test_password_alone(self) -> None:
        """As Redis has it without users."""
        self.connect(password="pw")
        self.assertEqual(self.transport.value(), command(b"AUTH", b"pw"))

    def refused(self, **location: Any) -> str:
        self.assertTrue(self.transport.aborted)
        self.lose()
        return str(self.failureResultOf(self.connection.ready, RedisDown).value)

    def test_wrong_password(self) -> None:
        """It is told with the words of Redis, and without the password."""
        self.connect(password="canary")
        self.exchange(command(b"AUTH", b"canary"), b"-WRONGPASS invalid username-password pair\r\n")
        words = self.refused()
        self.assertIn("WRONGPASS", words)
        self.assertNotIn("canary", words)

    def test_password_missing(self) -> None:
        """A Redis that wants a password is not asked again and again."""
        self.connect()
        self.exchange(command(b"PING"), b"-NOAUTH Authentication required.\r\n")
        self.assertIn("NOAUTH", self.refused())

    def test_no_such_database(self) -> None:
        """A database number beyond those that there are."""
        self.connect(database=99)
        self.exchange(command(b"SELECT", b"99"), b"-ERR DB index is out of range\r\n")
        self.assertIn("out of range", self.refused())

    def test_not_redis(self) -> None:
        """Another server behind the port is told, with no traceback for each attempt."""
        self.connect()
        self.connection.dataReceived(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        self.assertIn("not Redis", self.refused())

    def test_replies(self) -> None:
        """Bytes stay bytes, whatever they hold: neither numbers nor text are made of them."""
        self.ready()
        sent = [self.connection.send(command(b"GET", b"x")) for _ in range(4)]
        self.connection.dataReceived(b"$4\r\n1.50\r\n$2\r\n\xff\x00\r\n*2\r\n$-1\r\n:7\r\n")
        self.assertEqual([self.successResultOf(each) for each in sent[:3]], [b"1.50", b"\xff\x00", [None, 7]])
        self.connection.dataReceived(b"-OOM command not allowed\r\n")
        self.assertIn("OOM", str(self.failureResultOf(sent[3], RedisRefused).value))

    def test_two_replies(self) -> None:
        """Two commands that were sent together have their replies together; an error in either is one of both."""
        self.ready()
        sent = [self.connection.send(command(b"GET", b"x") * 2, 2) for _ in range(4)]
        self.connection.dataReceived(b"$1\r\n1\r\n")
        self.assertNoResult(sent[0])
        self.connection.dataReceived(b":2\r\n" + b"-OOM a\r\n:4\r\n" + b":5\r\n-OOM b\r\n" + b":7\r\n")
        self.assertEqual(self.successResultOf(sent[0]), (b"1", 2))
        for each, text in zip(sent[1:3], ("OOM a", "OOM b"), strict=True):
            self.assertIn(text, str(self.failureResultOf(each, RedisRefused).value))
        self.lose()
        self.failureResultOf(sent[3], RedisDown)

    def test_not_redis_any_more(self) -> None:
        """Nor is anything believed that is no reply once commands were answered."""
        self.ready()
        waiting = self.connection.send(command(b"GET", b"x"))
        self.connection.dataReceived(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertTrue(self.transport.aborted)
        self.lose()
        self.assertIn("not Redis", str(self.failureResultOf(waiting, RedisDown).value))

    def test_adopted(self) -> None:
        """It is read and written with the connections of clients, so that what they ask at once is asked at once."""
        adopted: list[Any] = []
        poller = Poller(MemoryReactorClock())
        poller.adopt = adopted.append  # type: ignore[method-assign]
        connection = RedisConnection(RedisLocation(), poller)
        transport = _Transport()
        connection.makeConnection(transport)
        self.assertEqual(adopted, [transport])

    def test_lost(self) -> None:
        """What was not answered fails, and so does what comes after."""
        self.ready()
        lost: list[bool] = []
        self.connection.lost.addCallback(lambda _: lost.append(True))
        waiting = self.connection.send(command(b"PING"))
        self.lose()
        self.failureResultOf(waiting, RedisDown)
        self.failureResultOf(self.connection.send(command(b"PING")), RedisDown)
        self.assertEqual(lost, [True])
        self.connection.abort()
        self.assertFalse(self.transport.aborted)

    def test_lost_before_it_was_ready(self) -> None:
        """Whoever waits for it is told."""
        self.connect()
        self.lose()
        self.failureResultOf(self.connection.ready, RedisDown)

    def test_given_up_while_logging_in(self) -> None:
        """Cancelling closes it."""
        self.connect(password="pw")
        waiting: Deferred[Any] = self.connection.ready
        waiting.addErrback(lambda reason: None)
        waiting.cancel()
        self.assertTrue(self.transport.aborted)


class ConnectorTests(SynchronousTestCase):
    def test_where(self) -> None:
        """It connects to where the URL says, by TCP or by a Unix socket."""
        reactor = MemoryReactorClock()
        Connector(reactor, RedisLocation(host="127.0.0.1", port=7000), 2.0)().addErrback(lambda _: None)
        Connector(reactor, RedisLocation(path="/run/redis.sock"), 2.0)().addErrback(lambda _: None)
        self.assertEqual(reactor.tcpClients[0][:2], ("127.0.0.1", 7000))
        self.assertEqual(reactor.unixClients[0][0], "/run/redis.sock")

    def test_authorities(self) -> None:
        """A file of authorities that cannot be used is told at the start."""
        directory = self.mktemp()
        os.mkdir(directory)
        for name, content in (("none.pem", None), ("empty.pem", ""), ("bad.pem", "x-----END CERTIFICATE-----")):
            path = os.path.join(directory, name)
            if content is not None:
                with open(path, "w") as file:
                    file.write(content)
            location = RedisLocation(tls=True, ca_file=path)
            with row(name):
                error = self.assertRaises(ConfigError, Connector, Clock(), location, 1.0)
            self.assertIn(name, str(error))
