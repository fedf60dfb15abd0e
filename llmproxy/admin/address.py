"""The address of the APIs, as a browser that looks at the pages would name it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def apis_address(listen: Sequence[str], scheme: str, host: str, *, beside: bool) -> str:
    """
    Where programs reach the APIs, C{""} where that cannot be said.

    @param listen: endpoint descriptions of the APIs.
    @param scheme: of the browser's request.
    @param host: its C{Host}.
    @param beside: the pages are at the same address.
    """
    if beside:
        return f"{scheme}://{host}" if host else ""
    name = urlsplit(f"//{host}").hostname or ""
    for description in listen:
        kind, _, rest = description.partition(":")
        port = rest.partition(":")[0]
        interface = rest.partition("interface=")[2].partition(":")[0]
        if kind not in ("tcp", "tcp6", "ssl") or not port.isdigit() or not name:
            continue
        if interface in _LOOPBACK and name not in _LOOPBACK:
            # A browser on another machine came by some other way than programs here do.
            continue
        return f"{'https' if kind == 'ssl' else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"
    return ""
