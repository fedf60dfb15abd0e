"""Paths of what the proxy itself has for coding agents, below the base URLs that those are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from .routing import RoutingTable

PROTOCOL = "protocol"
MODELS = "models"
SETTINGS = "settings"
TELEMETRY = "telemetry"
CODEX_MODELS = "codex_models"
METADATA = "metadata"
AUTHORIZATION = "device_authorization"
TOKEN = "token"  # noqa: S105
REVOCATION = "revocation"

CLAUDE_PATHS: Mapping[str, tuple[bytes, ...]] = {
    PROTOCOL: (b"/protocol",),
    MODELS: (b"/v1/models",),
    SETTINGS: (b"/managed/settings",),
    TELEMETRY: (b"/v1/metrics", b"/v1/logs", b"/v1/traces"),
}
"""What Claude Code asks for below its base URL."""

_WELL_KNOWN = b"/.well-known/oauth-authorization-server"

SIGN_IN_PATHS: Mapping[str, bytes] = {
    METADATA: _WELL_KNOWN,
    AUTHORIZATION: b"/oauth/device_authorization",
    TOKEN: b"/oauth/token",
    REVOCATION: b"/oauth/revoke",
}
"""What programs ask for that sign people in, below any base URL of theirs; see L{sign_in_paths}."""

PAGES = b"/device"
"""Where people let programs in."""

RESERVED = ("oauth", "device", ".well-known")
"""Names that no API can have where people sign in."""

CODEX_PATHS: Mapping[str, tuple[bytes, ...]] = {CODEX_MODELS: (b"/models", b"/v1/models")}
"""What Codex asks for below its base URL, which may end with C{/v1}; see L{is_codex}."""


@frozen
class OwnPath:
    """
    @ivar kind: what is there, one of the names above.
    @ivar base: the path of the base URL that it is below, C{""} for the root.
    @ivar name: its path below that.
    """

    kind: str
    base: str
    name: str


def is_codex(query: bytes) -> bool:
    """Whether a request for models is Codex's, which alone says its version there."""
    return query.startswith(b"client_version=") or b"&client_version=" in query


def own_paths(
    table: RoutingTable, default: str, claude: str | None, codex: str | None, kinds: Iterable[str]
) -> dict[bytes, OwnPath]:
    """
    All paths that are the proxy's own.

    They give way: to an API that is named as their first segment, and to endpoints that the API at their place names.

    @param default: the name of the API at C{/}.
    @param claude: the API whose base URL Claude Code has; C{None} where nothing is for it. C{codex} likewise.
    @param kinds: what there is.
    """
    wanted = frozenset(kinds)
    found: dict[bytes, OwnPath] = {}
    for name, paths in ((claude, CLAUDE_PATHS), (codex, CODEX_PATHS)):
        if name is None:
            continue
        for base in _bases(name, default):
            for kind, path in _pairs(paths):
                if kind in wanted and _is_free(table, name, base, path, kind):
                    found.setdefault(base + path, OwnPath(kind, base.decode(), path.decode()))
    return found


def sign_in_paths(table: RoutingTable, claude: str | None) -> dict[bytes, OwnPath]:
    """
    Those of signing in: at the root, and below the base URL of Claude Code, whose API's endpoints they give way to. The
    description of a base URL with a path stands also where RFC 8414 section 3.1 looks for it.

    @param claude: as of L{own_paths}.
    """
    found: dict[bytes, OwnPath] = {}
    bases = [b""] if claude is None else [b"", b"/" + claude.encode()]
    for base in bases:
        for kind, path in SIGN_IN_PATHS.items():
            if not base or (claude is not None and _is_free(table, claude, base, path, kind)):
                found[base + path] = OwnPath(kind, base.decode(), path.decode())
    for base in bases[1:]:
        found[_WELL_KNOWN + base] = OwnPath(METADATA, base.decode(), _WELL_KNOWN.decode())
    return found


def is_page(path: bytes) -> bool:
    """Whether a path is one of the pages where people let programs in."""
    return path == PAGES or path.startswith(PAGES + b"/")


def _bases(name: str, default: str) -> tuple[bytes, ...]:
    below = b"/" + name.encode()
    return (below, b"") if name == default else (below,)


def _pairs(paths: Mapping[str, tuple[bytes, ...]]) -> Iterator[tuple[str, bytes]]:
    return ((kind, path) for kind, some in paths.items() for path in some)


def _is_free(table: RoutingTable, name: str, base: bytes, path: bytes, kind: str) -> bool:
    api = table.named(name)
    if api is None:
        return False
    if not base and table.named(path[1:].partition(b"/")[0].decode()) is not None:
        return False
    # What Codex reads no API answers; its requests are known by their query.
    return kind == CODEX_MODELS or not api.policy.names(path)
