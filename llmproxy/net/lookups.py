"""Questions to the name servers of the system, each in a thread of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IResolutionReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from .twistedinternals import is_own_resolver

LookUp = Callable[[str], "Deferred[tuple[str, ...]]"]
"""
Asks for the addresses of a host name. Fails with L{DNSLookupError}, or with C{OSError} where this system could not ask.
It need not be cancellable.
"""


def look_up_with(reactor: Any) -> LookUp:
    """
    Ask as C{reactor} does, where an application has given it a resolver of its own; else with C{getaddrinfo}, which
    also knows C{/etc/hosts}.
    """

    def look_up(host: str) -> Deferred[tuple[str, ...]]:
        resolver = getattr(reactor, "nameResolver", None)
        if resolver is None or is_own_resolver(resolver):
            return in_thread(reactor, host)
        receiver = _Receiver(host)
        resolver.resolveHostName(receiver, host)
        return receiver.found

    return look_up


def in_thread(
    reactor: Any, host: str, getaddrinfo: Callable[..., Any] = socket.getaddrinfo
) -> Deferred[tuple[str, ...]]:
    """
    Ask in a thread that nothing waits for: one whose name server says nothing for 40 seconds holds up neither other
    threads nor the end of the process.
    """
    found: Deferred[tuple[str, ...]] = Deferred()

    def ask() -> None:
        try:
            addresses = _addresses(host, getaddrinfo)
        except Exception as error:
            reactor.callFromThread(found.errback, Failure(_in_our_words(error)))
        else:
            reactor.callFromThread(found.callback, addresses)

    try:
        Thread(target=ask, name="lookup", daemon=True).start()
    except RuntimeError as error:
        return fail(DNSLookupError(f"no thread to look up a name in: {error}"))
    return found


def _in_our_words(error: Exception) -> Exception:
    """Too many open files say nothing of the name; the numbers of others are C{EAI_NONAME}, C{EAI_AGAIN} and so on."""
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror):
        return error
    return DNSLookupError(*error.args)


def _addresses(host: str, getaddrinfo: Callable[..., Any]) -> tuple[str, ...]:
    # Bytes go to the system as they are; names may have any octet (RFC 2181 section 11).
    name = host.encode("ascii" if host.isascii() else "idna")
    known = getaddrinfo(name, None, socket.AF_UNSPEC, socket.SOCK_STREAM)
    return tuple(dict.fromkeys(address[0] for *_, address in known))


@implementer(IResolutionReceiver)
class _Receiver:
    """@ivar found: what the resolver has said."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._addresses: list[str] = []
        self.found: Deferred[tuple[str, ...]] = Deferred()

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        """The answer comes."""

    def addressResolved(self, address: Any) -> None:
        self._addresses.append(address.host)

    def resolutionComplete(self) -> None:
        if self._addresses:
            self.found.callback(tuple(dict.fromkeys(self._addresses)))
        else:
            self.found.errback(Failure(DNSLookupError(f"no address for {self._host}")))
