"""Tests for L{llmproxy.net.lookups}."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from queue import Queue
from typing import Any

from twisted.internet._resolver import GAIResolver
from twisted.internet.address import IPv4Address
from twisted.internet.error import DNSLookupError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.lookups import in_thread, look_up_with


class Reactor:
    """Calls from threads when the test says so."""

    nameResolver: Any = None

    def __init__(self) -> None:
        self.calls: Queue[Callable[[], Any]] = Queue()

    def callFromThread(self, call: Callable[..., Any], *args: Any) -> None:
        self.calls.put(lambda: call(*args))

    def turn(self) -> None:
        self.calls.get(timeout=30)()


class ThreadTests(SynchronousTestCase):
    def asked(self, host: str, getaddrinfo: Callable[..., Any]) -> Any:
        reactor = Reactor()
        found = in_thread(reactor, host, getaddrinfo)
        reactor.turn()
        return found

    def test_found(self) -> None:
        """Each address once, in the system's order, of both families."""

        def getaddrinfo(host: bytes, *about: Any) -> Any:
            return [
                (socket.AF_INET6, 1, 6, "", ("2001:db8::1", 0, 0, 0)),
                (socket.AF_INET, 1, 6, "", ("192.0.2.1", 0)),
                (socket.AF_INET, 1, 6, "", ("192.0.2.1", 0)),
            ]

        self.assertEqual(self.successResultOf(self.asked("a", getaddrinfo)), ("2001:db8::1", "192.0.2.1"))

    def test_names(self) -> None:
        """The system is asked for the name as it is written, whatever IDNA thinks of it."""
        for host, name in (
            ("llm_server", b"llm_server"),
            ("_dmarc.example.", b"_dmarc.example."),
            ("-x-.example", b"-x-.example"),
            ("a" * 70, b"a" * 70),
            ("bücher.example", b"xn--bcher-kva.example"),
        ):
            asked: list[bytes] = []

            def getaddrinfo(host: bytes, *about: Any, asked: list[bytes] = asked) -> Any:
                asked.append(host)
                return [(socket.AF_INET, 1, 6, "", ("192.0.2.1", 0))]

            self.successResultOf(self.asked(host, getaddrinfo))
            self.assertEqual(asked, [name], (host, name))

    def test_not_found(self) -> None:
        """The name was not found; the system's number says why."""
        for error in (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            ValueError("embedded null"),
        ):

            def getaddrinfo(host: bytes, *about: Any, error: Exception = error) -> Any:
                raise error

            reason = self.failureResultOf(self.asked("a", getaddrinfo), DNSLookupError)
            self.assertEqual(reason.value.args, error.args, error)

    def test_could_not_ask(self) -> None:
        """Of the name that says nothing."""

        def getaddrinfo(host: bytes, *about: Any) -> Any:
            raise OSError(24, "Too many open files")

        self.assertEqual(self.failureResultOf(self.asked("a", getaddrinfo), OSError).value.errno, 24)

    def test_holds_up_nothing(self) -> None:
        """A thread whose name server is silent does not keep the process from ending."""
        silent, daemons = threading.Event(), []

        def getaddrinfo(host: bytes, *about: Any) -> Any:
            daemons.append(threading.current_thread().daemon)
            silent.wait(30)
            return []

        reactor = Reactor()
        found = in_thread(reactor, "a", getaddrinfo)
        self.assertNoResult(found)
        silent.set()
        reactor.turn()
        self.assertEqual(self.successResultOf(found), ())
        self.assertEqual(daemons, [True])


class Resolver:
    """An application's own."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    def resolveHostName(self, receiver: Any, host: str, *others: Any) -> None:
        receiver.resolutionBegan(None)
        for address in self._addresses:
            receiver.addressResolved(IPv4Address("TCP", address, 0))
        receiver.resolutionComplete()


class LookUpTests(SynchronousTestCase):
    def test_resolver_of_an_application(self) -> None:
        """What an application has told its reactor to ask is asked."""
        reactor = Reactor()
        reactor.nameResolver = Resolver("192.0.2.1", "192.0.2.1", "192.0.2.2")
        self.assertEqual(self.successResultOf(look_up_with(reactor)("a")), ("192.0.2.1", "192.0.2.2"))
        reactor.nameResolver = Resolver()
        self.failureResultOf(look_up_with(reactor)("a"), DNSLookupError)

    def test_system(self) -> None:
        """Without one, or with Twisted's own, it is the system, which knows C{localhost}."""
        for resolver in (None, GAIResolver(object(), lambda: None)):  # type: ignore[arg-type,return-value]
            reactor = Reactor()
            reactor.nameResolver = resolver
            found = look_up_with(reactor)("localhost")
            reactor.turn()
            self.assertIn("127.0.0.1", self.successResultOf(found))
