"""The policy of one API: what a caller may ask of it, compiled when the configuration is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from .endpoints import Endpoints, settled
from .inspection.endpointrules import EndpointRules, PatternsByEndpoint
from .places import Places

NEVER = frozenset({b"TRACE", b"TRACK", b"CONNECT"})
"""
Methods that no API has. RFC 9110 section 9.3.8: an answer to C{TRACE} repeats the fields of the request, the project's
key among them. C{TRACK} is its name in old servers of Microsoft; C{CONNECT} leads to other hosts.
"""

_PERCENT, _DOT, _BACKSLASH = b"%.\\"
"""Bytes as numbers: asked whether it has a piece of C{bytes}, CPython raises a C{TypeError} first, and swallows it."""


@frozen
class Policy:
    """
    @ivar methods: in upper case, as C{Allow} lists them; empty allows every method but those of L{NEVER}. GET brings
        HEAD with it.
    @ivar endpoints: the entries as they were written; empty allows every path.
    @ivar whitelist: what parameters may be, by endpoint.
    @ivar required_headers: names in lower case, without C{origin}.
    @ivar max_inspected_body: bytes that may be read of a body to check it against the whitelist.
    """

    methods: tuple[bytes, ...]
    endpoints: tuple[str, ...]
    whitelist: EndpointRules
    origins: frozenset[bytes]
    any_origin: bool
    origin_required: bool
    required_headers: tuple[bytes, ...]
    max_inspected_body: int
    _allowed: frozenset[bytes]
    _matching: Endpoints

    @classmethod
    def compile(
        cls,
        *,
        allowed_methods: Sequence[str],
        allowed_endpoints: Sequence[str],
        param_whitelist: PatternsByEndpoint | None = None,
        unchecked_endpoints: Sequence[str] = (),
        allowed_origins: Sequence[str] = (),
        required_headers: Sequence[str] = (),
        max_inspected_body: int = 10 * 2**20,
        places: Places | None = None,
    ) -> Policy:
        """
        @param places: where APIs carry what C{param_whitelist} restricts; only without one it may be left out.
        @raise ValueError: nothing could hold what is asked for.
        """
        if param_whitelist and places is None:
            raise ValueError("a param_whitelist holds in the places that are named: there are none")
        methods = tuple(dict.fromkeys(method.upper().encode() for method in allowed_methods))
        if NEVER.intersection(methods):
            raise ValueError(f"expected no {b', '.join(sorted(NEVER.intersection(methods))).decode()}")
        if b"GET" in methods and b"HEAD" not in methods:
            methods += (b"HEAD",)
        required = [name.lower().encode() for name in required_headers]
        return cls(
            methods,
            tuple(allowed_endpoints),
            EndpointRules.compile(
                param_whitelist or {}, unchecked_endpoints, places=places or Places(), methods=methods
            ),
            frozenset(origin.encode() for origin in allowed_origins),
            "*" in allowed_origins,
            b"origin" in required,
            tuple(name for name in required if name != b"origin"),
            max_inspected_body,
            frozenset(methods),
            Endpoints.compile(allowed_endpoints),
        )

    def allows_method(self, method: bytes) -> bool:
        return method in self._allowed if self._allowed else method not in NEVER

    def allows_origin(self, origin: bytes) -> bool:
        return self.any_origin or origin in self.origins

    def names(self, path: bytes) -> bool:
        """Whether an entry without C{*}, other than C{/}, is C{path} or above it, as L{endpoint} compares them."""
        plain = settled(path)
        return plain is not None and self._matching.names(plain)

    def endpoint(self, path: bytes) -> str | None:
        """
        The entry that allows C{path}, C{""} where everything is allowed, C{None} where nothing does.

        The path is compared as L{settled} has it, while its own bytes go on. One that upstream could resolve to
        another place is allowed by no entry, nor where everything is allowed: it could leave C{base_url}.
        """
        if _PERCENT in path or (_DOT in path and b"/." in path) or _BACKSLASH in path:
            plain = settled(path)
            if plain is None:
                return None
            path = plain
        if not self.endpoints:
            return ""
        return self._matching.find(path)
