"""C{llmproxy healthcheck}: whether a proxy on this machine answers, for images without a shell and without curl."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import sys
from collections.abc import Mapping

import click
from attrs import evolve

from .http import Address, Http, parse_address

SECONDS = 5.0
"""Without a sign of the server; a container that does not answer so long is not well."""


@click.command()
@click.argument("url", required=False)
@click.option("--ready", is_flag=True, help="Ask /ready, which looks at the database too, instead of /live.")
def command(url: str | None, ready: bool) -> None:
    """Ask whether a proxy answers, and end with 0 if it does, with 1 if not.

    Without URL it is the proxy of this machine, at LISTEN_ADDR (with TLS where ENABLE_TLS is set). URL may have a path,
    which is asked for instead of /live. A dispatcher and the admin pages answer too. No token is sent. At an address of
    this machine nothing depends on the certificate, as it is for the name that clients use; a proxy that asks for a
    certificate of its clients answers by doing so.

    \b
    Examples:
      llmproxy healthcheck
      llmproxy healthcheck --ready
      llmproxy healthcheck http://127.0.0.1:9105
      llmproxy healthcheck unix:/run/llmproxy/manage.sock
    """
    try:
        address = parse_address(url) if url else own_address(os.environ)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    problem = ask(address, address.path or ("/ready" if ready else "/live"))
    if problem:
        click.echo(problem, err=True)
        sys.exit(1)


def own_address(env: Mapping[str, str]) -> Address:
    """
    Where a proxy listens that has these variables.

    @raise ValueError: LISTEN_ADDR is no address of a port or a socket.
    """
    from ..config.listen import endpoint_description
    from ..config.units import parse_flag
    from ..config.variables import DEFAULT_LISTEN

    description = endpoint_description(env.get("LISTEN_ADDR", "").strip() or DEFAULT_LISTEN)
    kind, _, rest = description.replace("\\:", "\0").partition(":")
    where, *options = rest.split(":")
    if kind == "unix":
        return parse_address(f"unix:{where}")
    if kind not in ("tcp", "tcp6", "ssl", "tls") or not where.isdecimal():
        raise ValueError(f"LISTEN_ADDR is {kind}:…: say the URL of the proxy")
    named = dict(option.partition("=")[::2] for option in options)
    host = named.get("interface", "").replace("\0", ":") or ("::" if kind == "tcp6" else "0.0.0.0")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    secure = kind in ("ssl", "tls") or parse_flag(env.get("ENABLE_TLS", "").strip() or "false")
    authority = f"[{host}]" if ":" in host else host
    return parse_address(f"{'https' if secure else 'http'}://{authority}:{where}")


def ask(address: Address, path: str) -> str:
    """What is wrong, as a sentence; C{""} if nothing is."""
    from .faults import Unreachable

    try:
        answer = _Unverified(evolve(address, path=""), SECONDS).ask("GET", path, {"Connection": "close"})
    except Unreachable as error:
        return "" if address.scheme == "https" and address.local and _asks_who(address) else str(error)
    if answer.status == 200:
        return ""
    return f"{address.text}: {answer.status}, {answer.body[:500].decode('utf-8', 'replace').strip()}"


def _asks_who(address: Address) -> bool:
    """
    Whether a server wants a certificate of its clients: it is there, and works.

    Its alert comes after the handshake (RFC 8446, 4.4.2.4), and is lost to those who write first.
    """
    try:
        with (
            socket.create_connection((address.host, address.port or 443), SECONDS) as plain,
            _unverified().wrap_socket(plain) as connection,
        ):
            connection.recv(1)
    except ssl.SSLError as error:
        return "CERTIFICATE_REQUIRED" in (error.reason or "")
    except OSError:
        return False
    return False


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class _Unverified(Http):
    """Trusts this machine; other names are verified as ever."""

    def connection(self) -> http.client.HTTPConnection:
        address = self.address
        if address.scheme != "https" or not address.local:
            return super().connection()
        return http.client.HTTPSConnection(address.host, address.port, timeout=SECONDS, context=_unverified())
