"""A look at the way to upstreams: a name, a connection, a handshake; no request is sent."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ..core.doctor.reach import ReachFacts
from ..errors import ConfigError
from ..upstream.proxies import Proxies, Proxy
from .bounded import Late, at_once
from .subject import Subject

if TYPE_CHECKING:
    from ..config import APIProviderConfig
    from ..origin import Upstream

TIMEOUT = 5.0
"""Seconds for connecting, and for each step of the handshake."""

SECONDS = 8.0
"""For all of them together."""


@frozen
class _Way:
    """Where to, with what of the configuration."""

    facts: ReachFacts
    host: str
    port: int
    name: str
    proxy: Proxy | None
    ca_file: str | None
    client_cert: str | None
    client_key: str | None


def look_at_upstreams(subject: Subject) -> tuple[ReachFacts, ...] | None:
    """Each upstream of each API; C{None} where nothing outside is to be asked."""
    if subject.offline:
        return None
    ways = list(_ways(subject))
    found = at_once([lambda way=way: _reach(way) for way in ways], SECONDS)  # type: ignore[misc]
    return tuple(_result(way, each) for way, each in zip(ways, found, strict=True))


def _result(way: _Way, found: ReachFacts | Exception) -> ReachFacts:
    if isinstance(found, Late):
        return evolve(way.facts, stage="late", why=f"no answer within {SECONDS:g} s")
    if isinstance(found, Exception):
        return evolve(way.facts, stage="connection", why=f"{type(found).__name__}: {found}")
    return found


def _ways(subject: Subject) -> Iterator[_Way]:
    if subject.apis is None:
        return
    try:
        apis = subject.apis.routing_table().apis
    except ConfigError:
        return
    for api in apis:
        config = subject.apis.apis[api.name]
        for upstream in api.upstreams:
            yield _way(api.name, upstream, config, subject)


def _way(api: str, upstream: Upstream, config: APIProviderConfig, subject: Subject) -> _Way:
    origin, connection = upstream.origin, config.connection
    secure = origin.scheme == "https"
    proxy = None
    if connection.proxy_from_environment:
        proxy = Proxies.from_environment(subject.env).before(secure, origin.host, origin.port)
    facts = ReachFacts(
        api=api,
        upstream=upstream.name,
        where=f"{origin.host}:{origin.port}",
        proxy="" if proxy is None else f"{proxy.host}:{proxy.port}",
        secure=secure,
        verified=connection.verify,
    )
    name = upstream.server_name or origin.host
    return _Way(
        facts,
        origin.host,
        origin.port,
        name,
        proxy,
        connection.ca_file,
        connection.client_cert,
        connection.client_key,
    )


def _reach(way: _Way) -> ReachFacts:
    began = time.monotonic()
    host, port = (way.host, way.port) if way.proxy is None else (way.proxy.host, way.proxy.port)
    try:
        addresses = {each[4] for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return evolve(way.facts, stage="name", why=f"the name {host} is not known: {why}")
    facts = evolve(way.facts, addresses=len(addresses))
    try:
        connection = _connected(way, host, port)
    except OSError as error:
        return evolve(facts, stage="connection", why=f"no connection: {_words(error)}")
    with connection:
        if not facts.secure:
            return evolve(facts, took=time.monotonic() - began)
        try:
            expires = _handshake(way, connection)
        except ssl.SSLCertVerificationError as error:
            return evolve(facts, stage="tls", why=f"its certificate is not good: {error.verify_message}")
        except (OSError, ValueError) as error:
            return evolve(facts, stage="tls", why=f"no TLS: {_words(error)}")
    return evolve(facts, took=time.monotonic() - began, expires_in=expires)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    reason = getattr(error, "reason", None)
    return str(reason or getattr(error, "strerror", None) or error or type(error).__name__)


def _connected(way: _Way, host: str, port: int) -> socket.socket:
    connection = socket.create_connection((host, port), TIMEOUT)
    if way.proxy is None or not way.facts.secure:
        return connection
    target = f"[{way.host}]" if ":" in way.host else way.host
    lines = [f"CONNECT {target}:{way.port} HTTP/1.1", f"Host: {target}:{way.port}"]
    wire = "\r\n".join(lines).encode() + b"\r\n"
    if way.proxy.authorization is not None:
        wire += b"Proxy-Authorization: " + way.proxy.authorization + b"\r\n"
    connection.sendall(wire + b"\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < 65536 and (data := connection.recv(4096)):
        answer += data
    status = answer.split(b"\r\n", 1)[0].split(b" ")[1:2]
    if status != [b"200"]:
        connection.close()
        raise OSError(f"the proxy answers {b' '.join(status).decode('latin-1') or 'nothing'}")
    return connection


def _handshake(way: _Way, connection: socket.socket) -> float | None:
    """Seconds until its certificate expires."""
    from cryptography import x509

    context = ssl.create_default_context(cafile=way.ca_file)
    if not way.facts.verified:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if way.client_cert is not None:
        # A key that is encrypted is refused, as the proxy does: nobody is asked for its password here.
        context.load_cert_chain(way.client_cert, way.client_key, password="")
    with context.wrap_socket(connection, server_hostname=way.name) as secured:
        shown = secured.getpeercert(binary_form=True)
    if shown is None:
        return None
    return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp() - time.time()
