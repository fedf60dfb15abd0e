"""Routing: the API that a target belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from ..message import Api, Route

RESERVED = frozenset({"manage", "admin"})
"""First segments that no API can have as its name: nothing stands before management."""

OWN = ("health", "healthz", "ready", "readyz", "live", "livez", "metrics", "usage", "me")
"""First segments that the proxy serves itself where no API does, see L{RoutingTable.claimant}."""


_MOST_KNOWN = 1024
_LONGEST_KNOWN = 256
"""Most programs ask for the same few targets: so many are remembered, and of up to so many bytes."""


class RoutingTable:
    """
    The default API is at C{/}, each one also at C{/<name>/}.

    @param default: the name of the API at C{/}; C{None} for none.
    @ivar apis: all of them.
    """

    def __init__(self, apis: Sequence[Api], default: str | None) -> None:
        self.apis = tuple(apis)
        self._by_name = {api.name.encode(): api for api in apis}
        self._default = None if default is None else self._by_name[default.encode()]
        self._known: dict[bytes, Route] = {}

    def listed(self) -> str:
        """Where the APIs are, in words: for those who have a token."""
        default = None if self._default is None else self._default.name
        places = [f"/{api.name}/" + (" (and at /)" if api.name == default else "") for api in self.apis]
        return "the APIs here are " + ", ".join(places)

    def named(self, name: str) -> Api | None:
        """The API of this name."""
        return self._by_name.get(name.encode())

    def claimant(self, path: bytes) -> Api | None:
        """
        The API that a path belongs to where the proxy has one of its own too: the one that is named as its first
        segment, or the default one where an endpoint without C{*} is there or above. C{None} for no API.
        """
        api = self._by_name.get(path[1:].partition(b"/")[0])
        if api is None and self._default is not None and self._default.policy.names(path):
            api = self._default
        return api

    def match(self, target: bytes) -> Route | None:
        """The route of a target in origin form; C{None} where no API is responsible."""
        route = self._known.get(target)
        if route is None:
            route = self._find(target)
            if route is not None and len(target) <= _LONGEST_KNOWN:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[target] = route
        return route

    def _find(self, target: bytes) -> Route | None:
        path, mark, query = target.partition(b"?")
        segment, _, rest = path[1:].partition(b"/")
        api = self._by_name.get(segment)
        prefix = b""
        if api is not None:
            prefix = b"/" + segment
            path = b"/" + rest
            target = path + mark + query
        else:
            api = self._default
            if api is None or not path.startswith(b"/"):
                return None
        return Route(api, target, path, api.policy.endpoint(path) or "", prefix)


def shown(path: str) -> str:
    """A path as an error names it: no longer than a line."""
    return path if len(path) <= 200 else path[:200] + "..."
