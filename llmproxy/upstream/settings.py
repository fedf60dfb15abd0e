"""What an operator may set of the connections to upstream."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from ..core.keeping import USUAL_IDLE
from .parsing import HEAD_LIMIT


@frozen
class ConnectionSettings:
    """
    Times are seconds, C{None} is no limit. The idle limits are the reference's.

    @ivar max_idle: connections kept without work, over all origins; the oldest goes first.
    @ivar max_connections_per_host: connections of one origin, at work or not.
    @ivar max_waiting_per_host: requests that wait for one of those; a further one is refused.
    @ivar idle_timeout: how long a connection without work is kept; see L{llmproxy.core.keeping.kept_for}.
    @ivar max_lifetime: how old a connection may be that takes a request.
    @ivar expect_continue: how long an upload that is to be asked for waits.
    @ivar connect_timeout: for name, TCP, proxy and TLS together.
    @ivar ca_file: PEM file of the authorities that are trusted instead of the platform's.
    @ivar client_cert: PEM file of our certificate, with its chain if there is one.
    @ivar client_key: PEM file of its key; C{None} if it is in C{client_cert}.
    @ivar verify: check certificates. Without it anybody can be upstream.
    @ivar proxy_from_environment: obey C{HTTP_PROXY}, C{HTTPS_PROXY}, C{ALL_PROXY} and C{NO_PROXY}.
    @ivar max_response_head: bytes of a response's header section, and of its trailers.
    """

    max_idle: int = 100
    max_idle_per_host: int = 20
    max_connections_per_host: int | None = None
    max_waiting_per_host: int = 1000
    idle_timeout: float = USUAL_IDLE
    max_lifetime: float | None = 600.0
    expect_continue: float | None = 1.0
    connect_timeout: float | None = 10.0
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = field(default=None, repr=False)
    verify: bool = True
    proxy_from_environment: bool = True
    max_response_head: int = HEAD_LIMIT

    @classmethod
    def of(cls, connection: Any, connect_timeout: float | None) -> ConnectionSettings:
        """
        From what the configuration calls C{connection}, under the reference's names; C{None} is the defaults.
        """
        if connection is None:
            return cls(connect_timeout=connect_timeout)
        idle = connection.idle_connection
        return cls(
            max_idle=connection.max_idle_conns,
            max_idle_per_host=connection.max_idle_conns_per_host,
            max_connections_per_host=connection.max_conns_per_host,
            idle_timeout=86_400.0 if idle is None else idle,
            max_lifetime=connection.max_lifetime,
            expect_continue=connection.expect_continue,
            connect_timeout=connect_timeout,
            ca_file=connection.ca_file,
            client_cert=connection.client_cert,
            client_key=connection.client_key,
            verify=connection.verify,
            proxy_from_environment=connection.proxy_from_environment,
        )
