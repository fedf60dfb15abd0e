"""One HTTP request at a time, and waiting for it: commands need no reactor."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from attrs import frozen

from .faults import Unreachable

MAX_BODY = 64 * 1024 * 1024
"""Bytes; a page of whatever the API lists is far below."""


@frozen
class Address:
    """
    Where a server is.

    @ivar path: what stands before every path that is asked for, without a slash at its end.
    @ivar socket: the path of a Unix socket, C{""} for TCP.
    """

    text: str
    scheme: str
    host: str
    port: int | None
    path: str = ""
    socket: str = ""

    @property
    def local(self) -> bool:
        """What is sent there stays on this machine."""
        if self.socket or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str) -> Address:
    """
    C{http://host:port/path}, C{https://…}, C{unix:/run/llmproxy.sock}, or, with a path behind the socket's,
    C{http+unix://%2Frun%2Fllmproxy.sock/path}.

    @raise ValueError: it is none of these; the sentence does not hold it, as it may hold a password.
    """
    if text.startswith("unix:"):
        where = "/" + text.removeprefix("unix:").lstrip("/")
        return Address(text, "unix", "localhost", None, socket=where)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("the port is no number up to 65535") from None
    if parts.username is not None or parts.query or parts.fragment or not text.isprintable():
        raise ValueError("expected a URL without user name, query and fragment")
    if parts.scheme == "http+unix" and parts.netloc:
        return Address(text, "unix", "localhost", None, parts.path.rstrip("/"), unquote(parts.netloc))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http://host:port, https://host or unix:/path/of/a/socket")
    return Address(text, parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@frozen
class Answer:
    status: int
    fields: http.client.HTTPMessage
    body: bytes


class Http:
    """
    @param timeout: seconds without a sign of the server, at connecting and at every read.
    """

    def __init__(self, address: Address, timeout: float = 30.0) -> None:
        self.address = address
        self._timeout = timeout

    def ask(self, method: str, path: str, fields: Mapping[str, str], body: bytes | None = None) -> Answer:
        """
        Send a request and read all of its answer. Redirects are not followed: a token is sent to nobody else.

        @raise Unreachable: there is no whole answer.
        """
        with self.opened(method, path, fields, body) as response:
            content = response.read(MAX_BODY + 1)
            if len(content) > MAX_BODY:
                raise Unreachable(f"{self.address.text}: the answer is longer than {MAX_BODY} bytes")
            return Answer(response.status, response.headers, content)

    @contextmanager
    def opened(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str],
        body: bytes | None = None,
        quiet: float | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """
        The same, for those who read the answer as it comes; what breaks while they do is reported like the rest.

        @param quiet: seconds that may pass between two parts of the answer, where that is more than the timeout.
        """
        connection = self.connection()
        try:
            connection.connect()
            connected = connection.sock
            connection.request(method, self.address.path + path, body=body, headers=dict(fields))
            answer = connection.getresponse()
            if quiet is not None:
                # The answer has the socket by now where the connection ends with it.
                connected.settimeout(max(quiet, self._timeout))
            yield answer
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.address.text}: {_words(error)}") from None
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPConnection:
        """One that is not connected yet."""
        address = self.address
        if address.socket:
            return UnixConnection(address.socket, self._timeout)
        if address.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(address.host, address.port, timeout=self._timeout, context=context)
        return http.client.HTTPConnection(address.host, address.port, timeout=self._timeout)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return "the name of the host is not known"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection broke within the answer"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the server closed the connection without an answer"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be reached: {error.strerror}"
    return f"does not speak HTTP ({type(error).__name__})"
