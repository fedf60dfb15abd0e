"""Several upstreams of an API as values: the places, the choice among them, and what is tried again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from ..apisettings import RETRIED_STATUSES, Balance, KeyBalance
from ..origin import CredentialPlace, KeySource


def _listed(values: Any) -> Any:
    # Anything else is wrong, and is to be found so by validate.
    return tuple(values) if isinstance(values, (list, set, frozenset)) else values


@frozen
class HealthConfig:
    """How an upstream is checked; what the words mean, says L{llmproxy.origin.HealthCheck}."""

    path: str = ""
    interval: float = 10.0
    timeout: float = 2.0
    healthy: int = 2
    unhealthy: int = 3
    statuses: Sequence[int] = field(default=(200,), converter=_listed)


@frozen
class UpstreamConfig:
    """
    One of several places of an API.

    @ivar name: what records, metrics and management call it; no other upstream of the API has it.
    @ivar base_url: see L{llmproxy.config.model.APIProviderConfig}.
    @ivar weight: its share of the requests, beside those of the same priority.
    @ivar priority: 1 is asked first; a larger one while none of a smaller one can be asked.
    @ivar key: one of its own; the API's if C{None}. C{own_key_for} of the API says who may use it.
    @ivar project_key: the name that a project's keys for it are held by; the API's if C{""}.
    @ivar credential: C{project}: the project's key, else the own one; C{own}: always that; C{client}: what the client
        has sent for it, and nothing else.
    @ivar headers: fields that every request gets, in place of those of the same name.
    @ivar region: where it is, in the operator's words.
    @ivar models: patterns of the models that it serves; none are all. A mapping of a name to another one is an alias.
    @ivar api_version: the C{api-version} of the query of every request.
    @ivar host: the value of C{Host}, where that is not the one of C{base_url}.
    @ivar sni: the name that TLS asks for, and that the certificate must have, likewise.
    @ivar auth: where it wants its key; as the API if C{None}.
    @ivar provider: whose it is, a name of L{llmproxy.providers.registry}; found by its host if C{""}.
    @ivar health: how it is checked; C{None} is not at all.
    """

    name: str = ""
    base_url: str = ""
    weight: int = 1
    priority: int = 1
    key: str | None = field(default=None, repr=False)
    project_key: str = ""
    credential: KeySource = "project"
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    region: str = ""
    models: Sequence[str | Mapping[str, str]] = field(default=(), converter=_listed)
    api_version: str = ""
    host: str = ""
    sni: str = ""
    auth: CredentialPlace | None = None
    provider: str = ""
    health: HealthConfig | None = None

    def contradictions(self, auth: CredentialPlace) -> Iterator[tuple[str, str]]:
        """
        What cannot hold: the key of the configuration, and a sentence.

        @param auth: where the API wants its key.
        """
        if not self.name:
            yield "name", "expected a name, which records and metrics call the upstream"
        if not self.base_url:
            yield "base_url", "expected a base_url: where the upstream is"
        place = self.auth or auth
        if place.kind == "none" and self.key is not None:
            yield "key", "key: the upstream takes none (auth: none), so that it would never be sent"
        if self.health is not None and not self.health.path:
            yield "health.path", "health: expected a path, which is asked for from the root of base_url"
        if self.credential == "client":
            yield from self._unsendable(place)
        if self.sni and not self.base_url.lower().startswith("https:"):
            yield "sni", "sni: there is no TLS to this base_url"
        named = place.name.decode("latin-1").lower() if place.kind == "header" else ""
        for name in self.headers:
            if name.lower() == named:
                yield f"headers.{name}", "this field holds the key: give it as key, as a variable or a file"

    def _unsendable(self, place: CredentialPlace) -> Iterator[tuple[str, str]]:
        if place.kind == "none":
            yield "credential", "credential: client needs a place for it, and there is none (auth: none)"
        for name in ("key", "project_key"):
            if getattr(self, name):
                yield (
                    name,
                    f"{name}: it would never be used, as clients send their own (credential: client)",
                )

    def aliases(self) -> Mapping[str, str]:
        """What the names of models become on the way."""
        return {name: other for each in self.models if isinstance(each, Mapping) for name, other in each.items()}

    def serves(self) -> tuple[str, ...]:
        """The patterns of the models that it serves, by the names that callers use; none are all."""
        return tuple(name for each in self.models for name in ((each,) if isinstance(each, str) else each))


@frozen
class BalanceConfig:
    """
    How one of several upstreams is chosen, and one of several keys. What the words mean, says
    L{llmproxy.apisettings.BalanceSettings}.
    """

    by: Balance = "weighted"
    keys: KeyBalance = "priority"
    slow_start: float = 0.0
    panic_threshold: float = 0.0


@frozen
class RetryConfig:
    """What is tried again; see L{llmproxy.apisettings.RetrySettings}."""

    attempts: int = 2
    statuses: Sequence[int] = field(default=RETRIED_STATUSES, converter=_listed)
    budget: float = 0.2
    replay: int = 1024 * 1024
    max_wait: float = 10.0
    hedge: float = 0.0


def repeated(upstreams: Sequence[UpstreamConfig]) -> Iterator[tuple[int, str]]:
    """The places in the list of those whose name another one has already, and a sentence."""
    seen: set[str] = set()
    for number, upstream in enumerate(upstreams):
        if upstream.name.lower() in seen and upstream.name:
            yield number, f"an upstream of this API is called {upstream.name!r} already"
        seen.add(upstream.name.lower())


def differ(upstreams: Sequence[UpstreamConfig]) -> str:
    """By which of C{models} and C{region} they differ; C{""} if they do not."""
    for name in ("models", "region"):
        if len({repr(getattr(each, name)) for each in upstreams}) > 1:
            return name
    return ""


def mixed_up(upstreams: Sequence[UpstreamConfig], auth: CredentialPlace) -> Iterator[tuple[int, str]]:
    """
    The places in the list of those that a client's credential for another upstream would go to, and a sentence: it is
    in the same place of a request.

    @param auth: where the API wants its key.
    """
    seen: dict[tuple[str, bytes], UpstreamConfig] = {}
    for number, upstream in enumerate(upstreams):
        if upstream.credential != "client":
            continue
        place = upstream.auth or auth
        other = seen.setdefault((place.kind, place.name.lower()), upstream)
        if other is not upstream:
            yield number, f"clients would send their credentials for it and for {other.name!r} in the same place"
