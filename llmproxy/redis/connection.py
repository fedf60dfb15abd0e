"""
One connection to Redis, by the protocol of txredisapi.

Of txredisapi the protocol is used and not the pool, which takes the global reactor and does not notice a peer that
says nothing. Importing it installs a reactor, so it is imported when Redis is configured, not before. It reads with
hiredis, which is why that is a dependency: without, each string of a reply waits for a turn of the reactor, and a
lookup costs twenty times as much. Once it has logged in, replies go from its reader to who waits for them without the
steps in between, where each word of a reply is looked at for conversions that are turned off.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from ..core.redisoptions import RedisLocation
from ..errors import ConfigError
from ..net.clienttls import tls_to
from ..net.nameendpoint import endpoint_to
from ..net.resolver import Names
from .commands import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..net.poller import Poller


_END = b"-----END CERTIFICATE-----"


class RedisDown(Exception):
    """There was no answer: no connection, or not in time."""


class RedisRefused(Exception):
    """Redis answered with an error; the text is its own and holds no value of ours."""


class _Two:
    """
    The replies to two commands that are sent together.

    @ivar both: fires with them, or with the first one that is an error.
    """

    __slots__ = ("_first", "both")

    def __init__(self) -> None:
        self.both: Deferred[Any] = Deferred()
        self._first: Any = self

    def callback(self, value: Any) -> None:
        if self._first is self:
            self._first = value
        else:
            first = self._first
            whole = first if isinstance(first, Failure) else value if isinstance(value, Failure) else (first, value)
            self.both.callback(whole)


class _Replies:
    """
    What txredisapi's C{DeferredQueue} is to its protocol, for a third of the time: a reply for each who waits.

    @param fault: makes a failure of an error reply.
    @ivar waiting: those who wait, in the order of their commands.
    """

    def __init__(self, fault: Callable[[Exception], Failure]) -> None:
        self._fault = fault
        self.waiting: deque[Deferred[Any] | _Two] = deque()

    def get(self) -> Deferred[Any]:
        # A call that is cancelled keeps its place in the row: the reply comes all the same.
        reply: Deferred[Any] = Deferred()
        self.waiting.append(reply)
        return reply

    def get_two(self) -> Deferred[Any]:
        two = _Two()
        self.waiting.append(two)
        self.waiting.append(two)
        return two.both

    def put(self, value: Any) -> None:
        self.waiting.popleft().callback(self._fault(value) if isinstance(value, Exception) else value)


class RedisConnection(Protocol):
    """
    @param poller: adopts the connection, so that commands for many requests, and replies to many, leave together.
    @ivar ready: fires with this once commands are answered; fails with L{RedisDown}.
    @ivar lost: fires when it has ended, once it was ready or not.
    """

    def __init__(self, location: RedisLocation, poller: Poller | None = None) -> None:
        import txredisapi

        self._api = txredisapi
        self._inner = txredisapi.RedisProtocol(
            charset=None,
            convertNumbers=False,
            username=location.username,
            password=location.password,
            dbid=location.database or None,
        )
        self._inner.factory = self
        self._inner.replyQueue = self._replies = _Replies(self._fault)
        self._reader: Any = None
        self._poller = poller
        self._ended = False
        self._why = ""
        self.ready: Deferred[RedisConnection] = Deferred(lambda _: self.abort())
        self.lost: Deferred[None] = Deferred()

    def send(self, data: bytes, count: int = 1) -> Deferred[Any]:
        """
        Send a command, and have its reply: bytes, numbers, lists of them, C{None}.

        @param count: of commands in C{data}, 1 or 2; the replies to two come as a tuple.

        Fails with L{RedisRefused} or L{RedisDown}. Commands do not wait for each other's replies.
        """
        transport = self.transport
        if transport is None or self._ended:
            return fail(RedisDown("not connected"))
        transport.write(data)
        return self._replies.get() if count == 1 else self._replies.get_two()

    def abort(self) -> None:
        """Close at once, whatever is under way; that fails with L{RedisDown}."""
        transport: Any = self.transport
        if transport is not None and not self._ended:
            transport.abortConnection()

    def connectionMade(self) -> None:
        if self._poller is not None:
            self._poller.adopt(self.transport)
        self._inner.makeConnection(self.transport)
        # Redis may ask for a password that we do not have, or be loading its data: that shows in a first command.
        trying = self._inner.whenConnected().addCallback(lambda _: self.send(command(b"PING")))
        trying.addCallbacks(lambda _: self._logged_in(), lambda reason: self._give_up(str(reason.value)))

    def dataReceived(self, data: bytes) -> None:
        try:
            reader = self._reader
            if reader is None:
                self._inner.dataReceived(data)
                return
            reader.feed(data)
            value = reader.gets()
            while value is not False:
                self._replies.put(value)
                value = reader.gets()
        except Exception as error:
            self._give_up(f"what answers there is not Redis ({type(error).__name__})")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ended = True
        self._why = self._why or reason.getErrorMessage()
        self._inner.connectionLost(reason)
        self._settle(Failure(RedisDown(self._why)))
        self.lost.callback(None)

    # -- what the protocol of txredisapi expects of its factory

    isLazy = False

    def stopTrying(self) -> None:
        """Whether to connect again is not decided here."""

    def connectionError(self, why: str) -> None:
        """Authentication failed, or there is no such database."""
        self._give_up(why.removeprefix("Redis error: "))

    def _give_up(self, why: str) -> None:
        self._why = self._why or why
        self.abort()

    def _logged_in(self) -> None:
        self._reader = getattr(self._inner, "_reader", None)
        self._settle(self)

    def _settle(self, result: Any) -> None:
        if not self.ready.called:
            self.ready.callback(result)

    def _fault(self, error: Exception) -> Failure:
        refused = isinstance(error, self._api.ResponseError)
        return Failure(RedisRefused(str(error)) if refused else RedisDown(self._why))


class Connector:
    """
    Opens connections to one place.

    @param timeout: seconds that each step of it may take: the name, TCP and TLS, then logging in.
    @raise ConfigError: the file with authorities cannot be used.
    """

    def __init__(
        self,
        reactor: Any,
        location: RedisLocation,
        timeout: float,
        poller: Poller | None = None,
        names: Names | None = None,
    ) -> None:
        self._reactor = reactor
        self._location = location
        self._timeout = timeout
        self._poller = poller
        self._endpoint = _endpoint(reactor, location, timeout, Names(reactor) if names is None else names)

    def __call__(self) -> Deferred[RedisConnection]:
        """
        Connect, log in, choose the database, and see that commands are answered.

        Fails with L{RedisDown}, or as connecting does; cancelling it closes what is open.
        """
        connecting: Deferred[Any] = self._endpoint.connect(Factory.forProtocol(self._protocol))
        return connecting.addCallback(lambda connection: connection.ready.addTimeout(self._timeout, self._reactor))

    def _protocol(self) -> RedisConnection:
        return RedisConnection(self._location, self._poller)


def _endpoint(reactor: Any, location: RedisLocation, timeout: float, names: Names) -> Any:
    from twisted.internet.endpoints import UNIXClientEndpoint, wrapClientTLS

    if location.path:
        return UNIXClientEndpoint(reactor, location.path, timeout=timeout)
    endpoint = endpoint_to(reactor, names, location.host, location.port, timeout)
    return wrapClientTLS(_tls(location), endpoint) if location.tls else endpoint


def _tls(location: RedisLocation) -> Any:
    from OpenSSL.crypto import Error
    from twisted.internet.ssl import Certificate, trustRootFromCertificates

    if location.ca_file is None:
        return tls_to(location.host)
    try:
        with open(location.ca_file, "rb") as file:
            blocks = file.read().split(_END)[:-1]
        authorities = [Certificate.loadPEM(block + _END + b"\n") for block in blocks]
    except (OSError, Error) as error:
        raise ConfigError(f"Redis: {location.ca_file}: cannot be used: {error}") from None
    if not authorities:
        raise ConfigError(f"Redis: {location.ca_file}: holds no certificate")
    return tls_to(location.host, trustRoot=trustRootFromCertificates(authorities))
