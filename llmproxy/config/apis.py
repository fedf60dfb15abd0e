"""Configurations for those who embed the proxy: values that check and compile themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, fields, frozen

from ..errors import ConfigError
from .model import APIProviderConfig, APIValues
from .problems import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..apisettings import CacheSettings
    from ..core.forwarded import TrustedProxies
    from ..core.pricing.rules import PriceRule
    from ..core.routing import RoutingTable
    from ..core.telemetry.traces import TracingOptions
    from ..message import Api


@frozen
class ProxyConfig(APIProviderConfig):
    """
    One API by itself, for those who embed the proxy of it.

    @ivar set_x_forwarded_for: the reference's; it is C{forwarded_fields="set"}.
    """

    api_name: str = "default"
    set_x_forwarded_for: bool = False

    @property
    def forwarding(self) -> str:
        return "set" if self.set_x_forwarded_for else self.forwarded_fields

    def validate(self) -> None:
        """Raise a L{ConfigError} of all that is wrong: of what a file would be refused for."""
        from .lowering import check_api

        check_api(self, self.api_name, self.set_x_forwarded_for)

    def compiled(self) -> Api:
        """What the proxied path needs of it."""
        from .compile import compile_api

        self.validate()
        return compile_api(self.api_name, self)

    def alone(self) -> APIConfig:
        """A configuration of this API only, which is at C{/} too."""
        return APIConfig({self.api_name: self}, self.api_name)


@frozen
class APIConfig(APIValues):
    """All APIs, as a program has them; the fields are those of L{APIValues}."""

    @classmethod
    def of(cls, values: APIValues) -> APIConfig:
        """What was read of a file, which has been checked."""
        return cls(**{a.name: getattr(values, a.name) for a in fields(APIValues)})

    def trusted(self) -> TrustedProxies | None:
        """Those proxies, ready to be asked; C{None} if there are none."""
        from ..core.forwarded import trusted_proxies

        return trusted_proxies(self.trusted_proxies, self.forwarded_header)

    def proxy_config(self, api_name: str) -> ProxyConfig:
        """One of the APIs; raises L{ConfigError} if there is none of this name."""
        if api_name not in self.apis:
            raise ConfigError(unknown(api_name, self.apis, "API"))
        api = self.apis[api_name]
        values: dict[str, Any] = {a.name: getattr(api, a.name) for a in fields(APIProviderConfig)}
        return ProxyConfig(api_name=api_name, **values)

    def price_rules(self) -> tuple[PriceRule, ...]:
        """C{prices}, ready to be looked up."""
        if not self.prices:
            return ()
        from .prices import rules_of

        return rules_of(self.prices)

    def validate(self) -> None:
        """Raise a L{ConfigError} of all that is wrong; what L{load_api_config} returns has passed already."""
        from .compile import reserved_names
        from .lowering import check_config

        check_config(self, reserved_names())

    def tracing_options(self) -> TracingOptions | None:
        """How exchanges are traced; C{None} if they are not."""
        if self.tracing is None and not any(sink.type == "otlp" for sink in self.sinks):
            return None
        from .tracing import TracingConfig

        tracing = TracingConfig() if self.tracing is None else self.tracing
        return None if tracing.enabled is False else tracing.options()

    def with_telemetry(self, environment: Mapping[str, str]) -> APIConfig:
        """
        The same, with what the variables of OpenTelemetry say: a sink C{otlp} where there is none, or none at all.

        @param environment: those variables.
        """
        if not environment:
            return self
        from .sinks import SinkConfig
        from .tracing import TracingConfig, batches, is_disabled, is_exported

        sinks = list(self.sinks)
        exporting = [sink for sink in sinks if sink.type == "otlp"]
        if is_disabled(environment):
            sinks = [sink for sink in sinks if sink.type != "otlp"]
        elif not exporting and is_exported(environment):
            name = "otlp" if all(sink.name != "otlp" for sink in sinks) else "opentelemetry"
            sinks.append(SinkConfig(name, "otlp", **batches(environment)))
        tracing = self.tracing
        if tracing is not None or any(sink.type == "otlp" for sink in sinks):
            tracing = (TracingConfig() if tracing is None else tracing).with_environment(environment)
        return evolve(self, sinks=tuple(sinks), tracing=tracing)

    def with_cache_defaults(self, defaults: CacheSettings) -> APIConfig:
        """The same, cached by C{defaults} where an API says nothing of its own, and can be cached."""
        apis = {
            name: api if api.takes_clients else evolve(api, cache=api.cache.with_defaults(defaults))
            for name, api in self.apis.items()
        }
        return evolve(self, apis=apis)

    def compiled(self) -> list[Api]:
        """All APIs, in the order of the file."""
        from .compile import compile_apis

        return compile_apis(self)

    def routing_table(self) -> RoutingTable:
        """The APIs, by the paths that lead to them."""
        from .compile import compile_routing

        return compile_routing(self)
