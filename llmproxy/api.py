"""Configured APIs as the proxied path knows them, and what the routing table finds among them."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from .apisettings import ApiSettings
from .origin import Timeouts, Upstream, query_keys, space_of

Dialect = str
"""
The shape of an error body: C{"proxy"} for the proxy's own, or that of a vendor, which its SDK knows how to raise: see
L{llmproxy.providers.registry.DIALECTS}.
"""


@frozen(eq=False)
class Api:
    """
    One configured API, compiled at load: what the proxied path needs of it and nothing else.

    @ivar upstreams: the places where it is, at least one.
    @ivar policy: what a caller may ask for; see L{llmproxy.core.policy}.
    @ivar origins: for CORS and the restriction of C{Origin}; see L{llmproxy.core.policy}.
    @ivar rewrites_locations: answers that point to upstream are made to point to the proxy.
    @ivar settings: what belongs to single middlewares and clients.
    @ivar query_keys: the parameters of a query, in lower case, that it may take a key in: those that a client sends
        go no further.
    @ivar key_fields: the header fields, in lower case, that one of its upstreams takes its key in.
    @ivar space: see L{llmproxy.origin.cache_space}; what caches know this API by.
    @ivar is_balanced: there is more than one upstream, or one whose keys are not held by the API's name, or
        that has aliases.
    @ivar is_clients: each of its upstreams is asked with the client's own credential.
    """

    name: str
    upstreams: tuple[Upstream, ...]
    dialect: Dialect
    timeouts: Timeouts
    policy: Any
    settings: ApiSettings = field(factory=ApiSettings)
    debug_fields: bool = False
    rewrites_locations: bool = True
    query_keys: frozenset[bytes] = field()
    key_fields: frozenset[bytes] = field(init=False)
    space: str = field()
    is_balanced: bool = field(init=False)
    is_clients: bool = field(init=False)

    @query_keys.default
    def _of_credentials(self) -> frozenset[bytes]:
        return query_keys(self.upstreams)

    @key_fields.default
    def _of_upstreams(self) -> frozenset[bytes]:
        return frozenset({upstream.key_field for upstream in self.upstreams} - {b""})

    @is_balanced.default
    def _of_number(self) -> bool:
        first = self.upstreams[0]
        is_own = first.key_source != "project" or first.project_key != ""
        return len(self.upstreams) > 1 or is_own or bool(first.models)

    @is_clients.default
    def _of_sources(self) -> bool:
        return all(upstream.key_source == "client" for upstream in self.upstreams)

    @space.default
    def _where_it_leads(self) -> str:
        return space_of(self.name, self.upstreams)


@frozen(eq=False)
class Route:
    """
    What the routing table found for a target.

    @ivar target: the target relative to the API, exact bytes: without the C{/<name>} that chose
        the API, query included.
    @ivar path: C{target} without the query.
    @ivar endpoint: the configured entry that matched, for records and metrics; C{""} where the API allows everything.
    @ivar prefix: the C{/<name>} that chose the API; C{b""} for the default one.
    """

    api: Api
    target: bytes
    path: bytes
    endpoint: str
    prefix: bytes = b""
