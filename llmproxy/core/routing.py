"""Which API a target belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from ..message import Api, Route

RESERVED = frozenset({"manage", "health", "ready", "live", "metrics", "admin"})
"""First segments that the proxy serves itself, so that no API can have them as its name."""


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

    def match(self, target: bytes) -> Route | None:
        """The route of a target in origin form; C{None} where no API is responsible."""
        path, mark, query = target.partition(b"?")
        segment, _, rest = path[1:].partition(b"/")
        api = self._by_name.get(segment)
        if api is not None:
            path = b"/" + rest
            target = path + mark + query
        else:
            api = self._default
            if api is None or not path.startswith(b"/"):
                return None
        return Route(api, target, path, api.policy.endpoint(path) or "")
