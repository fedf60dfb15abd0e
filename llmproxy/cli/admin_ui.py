"""C{llmproxy admin-ui}: the admin pages in a process of their own, over the management API of another one."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click
from twisted.internet.defer import Deferred

from ..errors import ConfigError
from .http import Address, parse_address

if TYPE_CHECKING:
    from twisted.web.resource import Resource

    from ..core.forwarded import TrustedProxies

DEFAULT_LISTEN = "127.0.0.1:8081"
DEFAULT_URL = "http://localhost:8080"

_OPTIONS = (
    click.option(
        "--listen",
        envvar="ADMIN_UI_LISTEN_ADDR",
        default=DEFAULT_LISTEN,
        help=f"Where the pages are. [ADMIN_UI_LISTEN_ADDR, else {DEFAULT_LISTEN}]",
    ),
    click.option(
        "--api-base-url",
        "--manage-api-base-url",
        envvar=("ADMIN_UI_API_BASE_URL", "MANAGE_API_BASE_URL"),
        default=DEFAULT_URL,
        metavar="URL",
        help=f"Where the proxy is; unix:/path for a socket. [ADMIN_UI_API_BASE_URL, else {DEFAULT_URL}]",
    ),
    click.option(
        "--apis-url",
        default="",
        metavar="URL",
        help="Where programs reach the APIs, to be shown beside new tokens. [else that of the proxy]",
    ),
    click.option(
        "--trusted-proxies",
        envvar="TRUSTED_PROXIES",
        default="",
        metavar="LIST",
        help="Addresses and networks, with commas, of proxies in front that may name the client. [TRUSTED_PROXIES]",
    ),
)


def serving_options(command: Any) -> Any:
    """The options of L{command}, for L{serve}."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@serving_options
def command(listen: str, api_base_url: str, apis_url: str, trusted_proxies: str) -> None:
    """Serve the admin pages in a process of their own.

    It asks the management API of a proxy that runs, with the session of who is signed in, and holds no token itself.
    Where the proxy trusts its address (TRUSTED_PROXIES), browsers are counted by their own.

    \b
    Examples:
      llmproxy admin-ui
      llmproxy admin-ui --listen :8081 --api-base-url https://llm.example.com
      llmproxy admin-ui --api-base-url unix:/run/llmproxy/manage.sock
      llmproxy admin-ui --listen ssl:8443:privateKey=key.pem:certKey=cert.pem
    """
    serve(listen, api_base_url, apis_url, trusted_proxies)


def serve(listen: str, api_base_url: str, apis_url: str, trusted_proxies: str) -> None:
    """Serve until the process is stopped; its status says how that went."""
    from twisted.internet import reactor

    from ..config.listen import endpoint_description
    from ..core.forwarded import trusted_proxies as networks_of
    from .reactor import log_to_stderr, run_service

    try:
        address = parse_address(api_base_url)
    except ValueError as error:
        raise click.UsageError(f"--api-base-url: {error}") from None
    try:
        description = endpoint_description(listen)
        trusted = networks_of(part.strip() for part in trusted_proxies.split(",") if part.strip())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for sentence in warnings(description, address):
        click.echo(f"warning: {sentence}", err=True)
    log_to_stderr("warn")
    sys.exit(run_service(reactor, PagesService(reactor, description, address, apis_url.rstrip("/"), trusted)))


def warnings(description: str, address: Address) -> list[str]:
    """What is sent in clear, as a sentence each."""
    found = []
    interface = description.partition("interface=")[2]
    if description.startswith("tcp") and interface not in ("127.0.0.1", "localhost", "\\:\\:1", "::1"):
        found.append(
            "the pages are served in clear to other machines: tokens and sessions can be read on the way. Put a proxy "
            "that speaks TLS in front, or use ssl:PORT:privateKey=FILE:certKey=FILE"
        )
    if address.scheme == "http" and not address.local:
        found.append(f"{address.text}: tokens and sessions are sent there without encryption")
    return found


class PagesService:
    """
    The pages with a port.

    @ivar started: fires with the listening port, or fails with L{ConfigError}.
    """

    def __init__(
        self, reactor: Any, description: str, address: Address, apis_url: str, trusted: TrustedProxies | None
    ) -> None:
        self._reactor = reactor
        self._description = description
        self._address = address
        self._apis_url = apis_url
        self._trusted = trusted
        self._port: Any = None
        self.started: Deferred[Any] = Deferred()

    def startService(self) -> None:
        from ..web.site import ProxySite
        from ..workers.sockets import open_port

        site = ProxySite(self._tree(), reactor=self._reactor, trusted_proxies=self._trusted)
        opening = open_port(self._reactor, self._description, site, "--listen")
        opening.addCallback(self._opened).addCallbacks(self.started.callback, self.started.errback)

    def stopService(self) -> Deferred[Any] | None:
        port, self._port = self._port, None
        stopping: Deferred[Any] | None = None if port is None else port.stopListening()
        return stopping

    def end_drain(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}: nothing is waited for."""

    def reopen_logs(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}: there is no log of its own."""

    def _opened(self, port: Any) -> Any:
        self._port = port
        host = port.getHost()
        where = f"{host.host}:{host.port}" if hasattr(host, "port") else self._description
        scheme = "https" if self._description.startswith("ssl") else "http"
        click.echo(f"Pages: {scheme}://{where}/admin\nProxy: {self._address.text}\nStop with Ctrl-C.")
        return port

    def _tree(self) -> Resource:
        from twisted.web.util import Redirect

        from ..admin.remote import OverHttp
        from ..admin.site import AdminPages
        from ..web.health import Health, Live
        from ..web.oldpages import NAMES, OldPages
        from ..web.root import Paths

        address = self._address
        base = f"{'http' if address.socket else address.scheme}://{_authority(address)}{address.path}"
        backend = OverHttp(self._reactor, _client(self._reactor, address), base)
        apis = self._apis_url or ("" if address.socket else base)
        root = Paths(self._trusted)
        pages = AdminPages(backend, time.time, self._trusted, apis_at=lambda scheme, host: apis, is_elsewhere=True)
        root.put_path("admin", pages)
        root.put_path("health", Health(time.time))
        root.put_path("live", Live())
        root.putChild(b"", Redirect(b"/admin/"))
        for name in NAMES:
            root.putChild(name, OldPages())
        return root


def _authority(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return host if address.port is None else f"{host}:{address.port}"


def _client(reactor: Any, address: Address) -> Any:
    """
    An HTTP client that verifies certificates, keeps connections and holds no cookies.

    @raise ConfigError: there is nothing to make one of.
    """
    from treq.client import HTTPClient
    from twisted.internet.endpoints import UNIXClientEndpoint
    from twisted.web.client import Agent, HTTPConnectionPool
    from twisted.web.iweb import IAgentEndpointFactory
    from zope.interface import implementer

    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = 8
    if not address.socket:
        return HTTPClient(Agent(reactor, pool=pool, connectTimeout=10))
    if not address.socket.startswith("/"):
        raise ConfigError(f"{address.text}: expected the whole path of a socket")

    @implementer(IAgentEndpointFactory)
    class ToSocket:
        def endpointForURI(self, uri: Any) -> Any:
            return UNIXClientEndpoint(reactor, address.socket, timeout=10)

    return HTTPClient(Agent.usingEndpointFactory(reactor, ToSocket(), pool=pool))
