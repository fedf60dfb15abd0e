"""Tests for L{llmproxy.workers.sockets}."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from llmproxy.errors import ConfigError
from llmproxy.workers.sockets import BACKLOG, Inherited, open_held, open_port, with_backlog, with_chain
from tests.integration.certificates import Authority
from tests.integration.harness import Wire


class Greeting(Wire):
    def connectionMade(self) -> None:
        self.send(b"hello")


class SocketsTests(TestCase):
    async def held(self, description: str) -> Any:
        held = await open_held(reactor, description)
        self.addCleanup(held.port.stopListening)
        return held

    async def test_held(self) -> None:
        """A held socket accepts nobody: a connection waits for a worker, and is served by the first that comes."""
        held = await self.held("tcp:0:interface=127.0.0.1")
        wire: Any = Wire()
        port = held.port.getHost().port
        await TCP4ClientEndpoint(reactor, "127.0.0.1", port).connect(Factory.forProtocol(lambda: wire))
        await deferLater(reactor, 0.05)
        self.assertEqual(wire.received, b"")
        worker = Inherited(reactor, held.fd, held.family)
        served: Any = await open_port(worker, held.description, Factory.forProtocol(Greeting))
        await wire.until_received(b"hello")
        wire.close()
        await wire.until_closed()
        await served.stopListening()

    async def test_path_stays(self) -> None:
        """A worker leaves the path of a Unix socket as it is, when it serves and when it stops: others go on."""
        path = os.path.abspath(self.mktemp())
        held = await self.held(f"unix:{path}:mode=640")
        for _ in range(2):
            served: Any = await open_port(
                Inherited(reactor, held.fd, held.family), held.description, Factory.forProtocol(Greeting)
            )
            wire: Any = Wire()
            await UNIXClientEndpoint(reactor, path).connect(Factory.forProtocol(lambda wire=wire: wire))
            await wire.until_received(b"hello")
            wire.close()
            await wire.until_closed()
            await served.stopListening()
            self.assertTrue(os.path.exists(path))
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)

    async def test_in_use(self) -> None:
        """A port that is taken, and a description that is none, are one line each."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        for description, words in (
            (f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1", "cannot listen: Address already in use"),
            ("nonsense", "not an endpoint"),
            ("tcp:port", "not an endpoint"),
        ):
            try:
                await open_port(reactor, description, Factory())
            except ConfigError as error:
                self.assertIn(words, str(error))
                self.assertIn(description, str(error))
            else:
                self.fail(description)


class BacklogTests(SynchronousTestCase):
    def test_room(self) -> None:
        """A burst of clients finds room; who says how much there is to be is obeyed."""
        for description in ("tcp:80", "tcp6:80:interface=\\:\\:1", "ssl:443:privateKey=k", "unix:/odd\\:backlog=1"):
            self.assertEqual(with_backlog(description), f"{description}:backlog={BACKLOG}", description)
        for description in ("tcp:80:backlog=5", "unix:/p:backlog=5:mode=600", "systemd:domain=INET:index=0"):
            self.assertEqual(with_backlog(description), description, description)

    def test_as_it_was_written(self) -> None:
        """An endpoint that is none is told as it was written."""
        failure = self.failureResultOf(open_port(reactor, "tcp:x", Factory()), ConfigError)
        self.assertNotIn("backlog", str(failure.value))


class ChainTests(TestCase):
    def test_descriptions(self) -> None:
        """Only TLS is given a chain, from the file of its certificate, unless it names one."""
        table = {
            "tcp:80": "tcp:80",
            "ssl:443:privateKey=k:certKey=/a\\:b": "ssl:443:privateKey=k:certKey=/a\\:b:extraCertChain=/a\\:b",
            "ssl:443:privateKey=both": "ssl:443:privateKey=both:extraCertChain=both",
            "ssl:443:privateKey=k:certKey=c:extraCertChain=x": "ssl:443:privateKey=k:certKey=c:extraCertChain=x",
        }
        self.assertEqual({each: with_chain(each) for each in table}, table)

    async def test_whole_chain_once(self) -> None:
        """A file with the certificate and those above it is sent as it stands, by a parent and by its workers."""
        authority = Authority(self.mktemp())
        certificate, key = authority.issue("localhost")
        chain = os.path.abspath(self.mktemp())
        with open(chain, "wb") as file:
            for path in (certificate, authority.ca_file):
                with open(path, "rb") as part:
                    file.write(part.read())
        description = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={chain}"
        factories: list[Any] = []

        class Opener:
            def __getattr__(self, name: str) -> Any:
                return getattr(reactor, name)

            def listenSSL(self, port: int, factory: Any, contextFactory: Any, **options: Any) -> Any:
                factories.append(contextFactory)
                return reactor.listenSSL(port, factory, contextFactory, **options)  # type: ignore[attr-defined]

        port: Any = await open_port(Opener(), description, Factory.forProtocol(Greeting))
        await port.stopListening()
        (made,) = factories
        self.assertEqual(made.certificate.get_subject().CN, "localhost")
        self.assertEqual([each.get_subject().CN for each in made.extraCertChain], ["authority"])
