"""Origins and upstreams: where an API is, as what it is asked there, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Literal

from attrs import field, frozen

KeySource = Literal["project", "own", "client"]
"""
Whose key an upstream is asked with: the project's, or else the own one; always the own one; or the credential that the
client has sent for it, and nothing else.
"""


@frozen
class CredentialPlace:
    """
    Where an API wants its key.

    @ivar kind: C{"header"}, C{"query"}, or C{"none"} for a server that takes no key.
    @ivar name: the field or parameter name, as it is written on the wire.
    @ivar prefix: what stands before the key, C{b"Bearer "} for example.
    """

    kind: Literal["header", "query", "none"] = "header"
    name: bytes = b"Authorization"
    prefix: bytes = b"Bearer "


@frozen
class OwnKey:
    """
    A key that an upstream has of its own, for projects that have none for its API.

    @ivar projects: the names or ids of those that may use it; C{None} is all of them.
    """

    key: str = field(repr=False)
    projects: frozenset[str] | None = frozenset()


@frozen
class Origin:
    """
    Where an upstream is.

    @ivar scheme: C{"http"} or C{"https"}.
    @ivar host: a name or an address, an IPv6 address without brackets.
    @ivar netloc: the value of C{Host}: brackets where needed, the port where it is not the scheme's own.
    """

    scheme: str
    host: str
    port: int
    netloc: bytes

    @property
    def url(self) -> str:
        """Scheme and authority."""
        return f"{self.scheme}://{self.netloc.decode('ascii')}"


@frozen
class Timeouts:
    """
    The deadlines of one API, in seconds; C{None} is no limit.

    @ivar connect: until a connection (TCP and TLS) stands.
    @ivar response_header: from the last byte of the request until the final response head.
    @ivar silence: the longest gap between two chunks of a body, in either direction.
    @ivar request: the whole exchange, first byte of the request to the last of the response.
    """

    connect: float | None = 10.0
    response_header: float | None = 600.0
    silence: float | None = 600.0
    request: float | None = None


@frozen
class HealthCheck:
    """
    How an upstream is asked whether it is well, in the terms of Envoy's active health checking. Times are seconds.

    @ivar path: what is asked for with GET, from the root of the origin.
    @ivar interval: from the end of a check to the next one.
    @ivar timeout: until an answer has to have begun.
    @ivar healthy: checks in a row that have to pass before one that was found unwell is asked again.
    @ivar unhealthy: checks in a row without an answer after which it is not asked; another status than those that are
        expected is enough at once.
    @ivar statuses: those that are expected.
    """

    path: str = "/"
    interval: float = 10.0
    timeout: float = 2.0
    healthy: int = 2
    unhealthy: int = 3
    statuses: frozenset[int] = frozenset({200})


@frozen(eq=False)
class Upstream:
    """
    One place where an API is. An API has at least one; each attempt at a request goes to one of them.

    @ivar path_prefix: the path of C{base_url} without its trailing slash; C{b""} if it has none.
    @ivar weight: its share of the requests, beside the weights of the others.
    @ivar own_key: what it is asked with for projects that have no key for the API.
    @ivar models: what the names of models become on the way; empty where they stay.
    @ivar provider: whose it is, a name of L{llmproxy.providers.registry}; C{""} if that is not known.
    @ivar name: what records and management call it; unlike those of the API's other upstreams.
    @ivar priority: 1 is asked first, a larger one while no smaller one can be.
    @ivar project_key: the name that a project's keys for it are held by; C{""} for the API's.
    @ivar key_source: see L{KeySource}.
    @ivar headers: fields that every request gets, in place of those of the same name.
    @ivar region: where it is, in the operator's words.
    @ivar serves: patterns of the models that it can be asked for; none are all.
    @ivar api_version: the C{api-version} of the query of every request; C{b""} for what the client says.
    @ivar host: the value of C{Host}; C{b""} for that of the origin.
    @ivar server_name: what TLS asks for and the certificate must name; C{""} for the host of the origin.
    @ivar health: how it is checked; C{None} where it is not.
    @ivar url: where it is, for logs and as the name of the place: two upstreams with the same one are one place.
    @ivar key_field: the header field that the key goes in, in lower case; C{b""} where it goes in none.
    """

    origin: Origin
    path_prefix: bytes = b""
    credential: CredentialPlace = CredentialPlace()
    weight: int = 1
    own_key: OwnKey | None = None
    models: Mapping[str, str] = field(factory=dict)
    provider: str = ""
    name: str = ""
    priority: int = 1
    project_key: str = ""
    key_source: KeySource = "project"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    region: str = ""
    serves: tuple[str, ...] = ()
    api_version: bytes = b""
    host: bytes = b""
    server_name: str = ""
    health: HealthCheck | None = None
    url: str = field(init=False)
    key_field: bytes = field(init=False)

    @url.default
    def _url(self) -> str:
        return self.origin.url + self.path_prefix.decode("latin-1")

    @key_field.default
    def _key_field(self) -> bytes:
        return self.credential.name.lower() if self.credential.kind == "header" else b""


def query_keys(upstreams: Iterable[Upstream]) -> frozenset[bytes]:
    """The parameters of a query, in lower case, that one of C{upstreams} takes its key in."""
    places = [upstream.credential for upstream in upstreams]
    return frozenset(name for place in places if place.kind == "query" for name in (b"key", place.name.lower()))


def space_of(name: str, upstreams: Sequence[Upstream]) -> str:
    """The L{cache_space} of the API C{name} with these upstreams."""
    models = {pair for upstream in upstreams for pair in upstream.models.items()}
    return cache_space(name, [(upstream.origin, upstream.path_prefix) for upstream in upstreams], models)


def cache_space(name: str, places: Sequence[tuple[Origin, bytes]], models: Iterable[tuple[str, str]] = ()) -> str:
    """
    The name of the space that the answers of an API are stored in: its own, and a fingerprint of where it leads.

    Two installations may share a store. What one of them calls by a name is to the other one another place, or the
    same with other models behind their names; an answer of there is none of here.

    @param places: every upstream that may answer, as origin and path prefix; their order says nothing.
    @param models: what the names of models become on the way, as pairs; likewise.
    """
    found = [f"{at.scheme}://{at.host.lower()}:{at.port}{prefix.decode('latin-1')}" for at, prefix in places]
    parts = [*sorted(set(found)), "", *(part for pair in sorted(models) for part in pair)]
    framed = "".join(f"{len(part)}:{part}," for part in parts)
    return f"{name}@{sha256(framed.encode()).hexdigest()[:16]}"
