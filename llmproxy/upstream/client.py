"""The upstream client, behind treq's interface and without a browser's conveniences."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer

from ..apisettings import ConnectionSettings
from ..bodies import BytesBody
from ..errors import UpstreamTimeout
from ..net.timers import TimerWheel
from .connector import Address, Connector, EndpointFor
from .exchange import Exchange, Sent
from .fieldheaders import FieldHeaders
from .head import request_head
from .hostpool import Pool, Site
from .proxies import Proxies

if TYPE_CHECKING:
    from ..message import Field, InterimSink
    from ..net.poller import Poller
    from ..net.resolver import Names
    from .http2.site import SharedPool, SharedSite
    from .response import UpstreamResponse

_NO_JSON = signature(HTTPClient.request).parameters["json"].default
"""What treq takes for no C{json}: C{None} is a value of JSON."""

_PORTS = {"http": 80, "https": 443}

_REFUSED = ("auth", "cookies")
"""What treq does with these would be kept, or leak, between requests."""

_MOST_ORIGINS = 1000


class Destination:
    """
    What is the same for all requests to one origin.

    @ivar url: scheme and authority.
    @ivar shared: its connections of HTTP/2, where that is offered; all but upgrades goes there.
    """

    __slots__ = ("extra", "netloc", "prefix", "shared", "site", "url")

    def __init__(self, url: bytes, site: Site, shared: SharedSite | None = None) -> None:
        address = site.address
        self.shared = shared
        self.url = url
        self.site = site
        self.netloc = address.netloc
        plain_proxy = None if address.secure else address.proxy
        # RFC 9112 section 3.2.2: a proxy wants the absolute form.
        self.prefix = b"" if plain_proxy is None else b"http://" + address.netloc
        authorization = None if plain_proxy is None else plain_proxy.authorization
        self.extra = b"" if authorization is None else b"Proxy-Authorization: %b\r\n" % authorization


class PooledClient(HTTPClient):
    """
    What L{treq.client.HTTPClient} is, for a proxy: no cookie jar, no redirects, no decoding, no field
    of its own but C{Host} and the framing. A stock client or L{treq.testing.StubTreq} can take its place.

    @param wheel: for idle connections; an own one if C{None}.
    @param poller: see L{Connector}; C{names} and C{make_room} too, which by default closes kept connections.
    @param environment: where C{HTTP_PROXY} and its like are looked up; the process's if C{None}.
    @param endpoint_for: makes the TCP endpoint of a host and port; see L{Connector}.
    @ivar pool: the connections, with their numbers: C{opened}, C{reused}, C{idle}, C{active}.
    """

    def __init__(
        self,
        reactor: Any,
        settings: ConnectionSettings | None = None,
        *,
        wheel: TimerWheel | None = None,
        poller: Poller | None = None,
        names: Names | None = None,
        make_room: Callable[[], object] | None = None,
        environment: Mapping[str, str] | None = None,
        endpoint_for: EndpointFor | None = None,
    ) -> None:
        # All that HTTPClient has besides are an agent and a cookie jar.
        self._data_to_body_producer = _body_of
        settings = settings or ConnectionSettings()
        self._proxies = Proxies()
        if settings.proxy_from_environment:
            self._proxies = Proxies.from_environment(os.environ if environment is None else environment)
        self._own_wheel = None if wheel is not None else TimerWheel(reactor)
        self._wheel: TimerWheel = wheel or self._own_wheel  # type: ignore[assignment]
        connector = Connector(reactor, settings, endpoint_for, poller, names, make_room or self.shed)
        self.pool = Pool(settings, self._wheel, connector.connect)
        self.shared: SharedPool | None = None
        if settings.http2:
            from .http2.site import SharedPool

            self.shared = SharedPool(settings, self._wheel, connector.connect)
        self._destinations: dict[tuple[bytes, str], Destination] = {}

    def request(  # type: ignore[override]
        self,
        method: bytes | str,
        url: bytes | str,
        *,
        headers: Any = None,
        data: Any = None,
        on_interim: InterimSink | None = None,
        timeout: float | None = None,
        upgrade: bool = False,
        **others: Any,
    ) -> Deferred[UpstreamResponse]:
        """
        Send a request; fires at the response head, and fails with a L{llmproxy.errors.ProxyError}, or with
        whatever C{data} failed with. Cancelling it closes the connection, or stops connecting.

        @param method: its case is kept.
        @param url: what follows the authority goes on the wire as it is.
        @param headers: L{FieldHeaders} keep order and case; what treq takes works too.
        @param data: an L{IBodyProducer}, which is stopped if upstream does not want the rest of it; or what treq takes.
        @param on_interim: called with each 1xx response but 100.
        @param timeout: seconds until the response head.
        @param upgrade: C{headers} ask for another protocol, and a 101 response has C{upgraded}.
        @param others: C{params}, C{files} and C{json} as treq has them.
        """
        if type(url) is not bytes:
            url = url.encode("ascii")  # type: ignore[union-attr]
        if type(method) is not bytes:
            method = method.encode("ascii")  # type: ignore[union-attr]
        pairs = headers.pairs if type(headers) is FieldHeaders else FieldHeaders.of(headers).pairs
        if others or (data is not None and not hasattr(data, "startProducing")):
            url, pairs, data = self._conveniences(url, pairs, data, others)
        try:
            end = _authority_end(url)
            destination = self.destination(url[:end])
        except ValueError:
            return fail(Failure())
        target = url[end:]
        if target[:1] in b"?":
            # RFC 9112 section 3.2.1: an empty path is a slash on the wire.
            target = b"/" + target
        result = self.send(destination, method, target, pairs, data, on_interim, upgrade)
        if timeout is not None:
            self._limit(result, timeout)
        return result

    def send(
        self,
        destination: Destination,
        method: bytes,
        target: bytes,
        pairs: Sequence[Field],
        data: IBodyProducer | None,
        on_interim: InterimSink | None = None,
        upgrade: bool = False,
        made: Callable[[UpstreamResponse], Any] | None = None,
        sent: Sent | None = None,
    ) -> Deferred[Any]:
        """
        L{request} for those who know where it goes and have all in its final form.

        @param made: what the Deferred fires with is made of the response by this; it saves a callback.
        @param sent: where it counts how often the request was sent.
        """
        lines = pairs if destination.shared is None else without_te(pairs)
        try:
            written = request_head(method, destination.prefix + target, lines, destination, data)
        except ValueError:
            return fail(Failure())
        return self.send_head(destination, method, target, pairs, written, data, on_interim, upgrade, made, sent)

    def send_head(
        self,
        destination: Destination,
        method: bytes,
        target: bytes,
        pairs: Sequence[Field],
        written: tuple[bytes, int | object, bool],
        data: IBodyProducer | None,
        on_interim: InterimSink | None = None,
        upgrade: bool = False,
        made: Callable[[UpstreamResponse], Any] | None = None,
        sent: Sent | None = None,
    ) -> Deferred[Any]:
        """
        L{send} for those who know the bytes of the head.

        @param written: what L{request_head} has made, of C{pairs} or of what they were before.
        """
        head, length, expects = written
        exchange = Exchange(method, destination.url, target, pairs, head, data, length, on_interim)
        exchange.upgrade = upgrade
        exchange.expects = expects
        exchange.made = made
        exchange.sent = sent
        if destination.shared is None or upgrade:
            destination.site.submit(exchange)
        else:
            destination.shared.submit(exchange)
        return exchange.result

    def shed(self) -> int:
        """Cut the connections that are kept for later; how many there were."""
        return self.pool.shed() + (0 if self.shared is None else self.shared.shed())

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way, nor waits for a connection."""
        return self.pool.is_quiet and (self.shared is None or self.shared.is_quiet)

    def close(self) -> Deferred[None]:
        """Close every connection; fires when they are closed. Requests fail from now on."""
        closing = self.pool.close()
        if self.shared is not None:
            shared = self.shared.close()
            closing.addCallback(lambda _: shared)
        return closing.addCallback(self._closed)

    def _closed(self, _: None) -> None:
        if self._own_wheel is not None:
            self._own_wheel.stop()

    def destination(self, origin: bytes, server_name: str = "") -> Destination:
        """
        What L{send} has to know of an origin.

        @param origin: scheme and authority.
        @param server_name: see L{Address}.
        @raise ValueError: if that is not what it is.
        """
        known = self._destinations.get((origin, server_name))
        if known is None:
            if len(self._destinations) >= _MOST_ORIGINS:
                self._destinations.clear()
            secure, host, port, netloc = _parsed(origin)
            proxy = self._proxies.before(secure, host, port)
            site = self.pool.site(Address(secure, host, port, netloc, proxy, server_name))
            shared = None
            if self.shared is not None and secure:
                address = Address(secure, host, port, netloc, proxy, server_name, True)
                shared = self.shared.site(address, site)
            known = self._destinations[origin, server_name] = Destination(origin, site, shared)
        return known

    def _conveniences(self, url: bytes, pairs: Any, data: Any, others: dict[str, Any]) -> tuple[bytes, Any, Any]:
        """What treq's callers may write and the proxy never does."""
        refused = [name for name in _REFUSED if others.get(name)]
        if refused or others.get("allow_redirects"):
            raise TypeError("not known to this client: " + ", ".join(refused or ["allow_redirects"]))
        if others.get("params"):
            mark = b"&" if b"?" in url else b"?"
            url += mark + urlencode(others["params"], doseq=True).encode("ascii")
        if data is None or not hasattr(data, "startProducing"):
            json = others.get("json", _NO_JSON)
            data, content_type = self._request_body(data, others.get("files"), json, stacklevel=4)
            if content_type is not None:
                pairs = [*pairs, (b"Content-Type", content_type)]
        return url, pairs, data

    def _limit(self, result: Deferred[UpstreamResponse], seconds: float) -> None:
        late: list[Any] = []

        def passed() -> None:
            late.append(True)
            result.cancel()

        deadline = self._wheel.start(seconds, passed)

        def ended(outcome: Any) -> Any:
            deadline.end()
            return Failure(UpstreamTimeout("response_header")) if late else outcome

        result.addBoth(ended)


def _body_of(content: Any) -> IBodyProducer:
    """What treq takes for content, as a body; bytes need no turn of the global reactor, as its own would."""
    return BytesBody(content) if isinstance(content, bytes) else IBodyProducer(content)


def without_te(pairs: Sequence[Field]) -> list[Field]:
    """What goes over HTTP/1.1, where C{TE} belongs to the connection, of what goes over HTTP/2 with C{TE: trailers}."""
    return [pair for pair in pairs if len(pair[0]) != 2 or pair[0].lower() != b"te"]


def _authority_end(url: bytes) -> int:
    """RFC 3986 section 3.2: the authority ends at the first of these."""
    start = url.find(b"://") + 3
    if start < 3:
        raise ValueError("a URL needs a scheme and an authority")
    return min((at for at in (url.find(mark, start) for mark in (b"/", b"?", b"#")) if at >= 0), default=len(url))


def _parsed(origin: bytes) -> tuple[bool, str, int, bytes]:
    """Whether it is https, host, port, and the value of C{Host}."""
    scheme, _, netloc = origin.decode("ascii").partition("://")
    default = _PORTS.get(scheme.lower())
    if default is None or "@" in netloc:
        raise ValueError("only http:// and https:// URLs without credentials are known")
    host, bracket, after = netloc.rpartition("]")
    name, _, port = after.partition(":")
    if bracket:
        name = host.removeprefix("[")
    if not name or (port and not port.isdecimal()) or int(port or default) > 65_535:
        raise ValueError("the URL has no usable authority")
    return scheme.lower() == "https", name.lower(), int(port or default), netloc.encode("ascii")
