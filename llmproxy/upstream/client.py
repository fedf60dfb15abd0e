"""The upstream client, behind treq's interface and without a browser's conveniences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH

from ..bodies import BytesBody
from ..errors import UpstreamReset
from .connection import Connection
from .fieldheaders import FieldHeaders
from .pool import Key, Pool
from .settings import ConnectionSettings

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer

    from ..message import Field, InterimSink
    from ..wheel import Wheel
    from .response import UpstreamResponse

SAFE_TO_REPEAT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""RFC 9110 section 9.2.2: idempotent methods."""

_PORTS = {b"http": 80, b"https": 443}


class PooledClient:
    """
    What L{treq.client.HTTPClient} is, for a proxy: no cookie jar, no redirects, no decoding, no field
    of its own. A stock client or L{treq.testing.StubTreq} can take its place.
    """

    def __init__(self, reactor: Any, settings: ConnectionSettings | None = None, *, wheel: Wheel) -> None:
        self.pool = Pool(reactor, settings or ConnectionSettings(), wheel)
        self._origins: dict[bytes, tuple[Key, bytes]] = {}

    def request(
        self,
        method: bytes | str,
        url: bytes | str,
        *,
        headers: Any = None,
        data: Any = None,
        on_interim: InterimSink | None = None,
        **unused: Any,
    ) -> Deferred[UpstreamResponse]:
        """
        Send a request; fires at the response head, and fails with a L{llmproxy.errors.ProxyError}.

        Cancelling it closes the connection, or stops connecting.

        @param url: what follows the authority goes on the wire as it is.
        @param headers: L{FieldHeaders} keep order and case; what treq takes works too.
        @param data: an L{IBodyProducer} or bytes.
        """
        method = method if isinstance(method, bytes) else method.encode("ascii")
        origin, target = _split(url if isinstance(url, bytes) else url.encode("ascii"))
        key, netloc = self._origin(origin)
        body = BytesBody(data) if isinstance(data, bytes) else data
        head = _head(method, target, _pairs(headers), netloc, body)
        return _Sending(self.pool, key, method, head, body, on_interim).start()

    def close(self) -> Deferred[None]:
        """Close every connection."""
        return self.pool.close()

    def _origin(self, origin: bytes) -> tuple[Key, bytes]:
        known = self._origins.get(origin)
        if known is None:
            if len(self._origins) > 1000:
                self._origins.clear()
            known = self._origins[origin] = _parsed(origin)
        return known


class _Sending:
    """One request, from a connection to its response head."""

    __slots__ = ("_body", "_connection", "_head", "_key", "_method", "_on_interim", "_pending", "_pool", "_result")

    def __init__(
        self,
        pool: Pool,
        key: Key,
        method: bytes,
        head: bytes,
        body: IBodyProducer | None,
        on_interim: InterimSink | None,
    ) -> None:
        self._pool = pool
        self._key = key
        self._method = method
        self._head = head
        self._body = body
        self._on_interim = on_interim
        self._connection: Connection | None = None

    def start(self) -> Deferred[UpstreamResponse]:
        try:
            found = self._pool.take(self._key)
        except Exception:
            return fail(Failure())
        if isinstance(found, Connection):
            sending = self._send(found)
            # Only a kept connection can have been closed before it was asked.
            return sending.addErrback(self._again)
        return found.addCallback(self._send)

    def _send(self, connection: Connection) -> Deferred[UpstreamResponse]:
        self._connection = connection
        return connection.request(self._head, self._body, self._method == b"HEAD", self._on_interim)

    def _again(self, reason: Failure) -> Any:
        """RFC 9112 section 9.3.1: once, where nothing came back and repeating it is safe."""
        connection = self._connection
        assert connection is not None
        if not reason.check(UpstreamReset) or connection.touched:
            return reason
        if connection.unsent is not None:
            self._head, self._body = connection.unsent, None
        elif self._body is not None or self._method not in SAFE_TO_REPEAT:
            return reason
        found = self._pool.take(self._key, fresh=True)
        return self._send(found) if isinstance(found, Connection) else found.addCallback(self._send)


def _split(url: bytes) -> tuple[bytes, bytes]:
    """Origin and target; the target's bytes are nobody's to change."""
    slash = url.find(b"/", url.index(b"://") + 3)
    return (url, b"/") if slash < 0 else (url[:slash], url[slash:])


def _parsed(origin: bytes) -> tuple[Key, bytes]:
    scheme, _, netloc = origin.partition(b"://")
    host, port = netloc, b""
    if not netloc.endswith(b"]"):
        before, colon, after = netloc.rpartition(b":")
        if colon:
            host, port = before, after
    name = host.strip(b"[]").decode("ascii")
    scheme = scheme.lower()
    return (scheme.decode("ascii"), name, int(port) if port else _PORTS[scheme]), netloc


def _pairs(headers: Any) -> list[Field]:
    if headers is None:
        return []
    if isinstance(headers, FieldHeaders):
        return headers.pairs
    if not isinstance(headers, Headers):
        headers = Headers({k: v if isinstance(v, (list, tuple)) else [v] for k, v in dict(headers).items()})
    return [(name, value) for name, values in headers.getAllRawHeaders() for value in values]


def _head(method: bytes, target: bytes, pairs: list[Field], netloc: bytes, body: IBodyProducer | None) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    host = framed = False
    chunked = body is not None and body.length is UNKNOWN_LENGTH
    for name, value in pairs:
        size = len(name)
        if size == 4 and name.lower() == b"host":
            host = True
        elif size == 14 and name.lower() == b"content-length":
            if chunked:
                continue
            framed = True
        lines.append(b"%b: %b" % (name, value))
    if not host:
        lines.insert(1, b"Host: " + netloc)
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
    elif body is not None and not framed:
        lines.append(b"Content-Length: %d" % body.length)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)
