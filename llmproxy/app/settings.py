"""All settings of a proxy as one value: made once of the command line and the environment, and handed on whole."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from attrs import field, frozen

from ..config.apis import APIConfig, ProxyConfig
from ..config.listen import is_private
from ..config.variables import DEFAULT_POOL_SIZE
from ..core.caching.settings import CacheOptions
from ..core.masking import Masking
from ..errors import ConfigError
from .settingscheck import RULES, check_settings

if TYPE_CHECKING:
    from ..core.audit.settings import AuditOptions
    from ..core.redisoptions import RedisOptions
    from .configsource import ConfigSource


@frozen
class Settings:
    """
    @ivar apis: the configuration that is served first.
    @ivar management_token: C{""} for no management.
    @ivar encryption_key: 32 bytes; C{None} keeps upstream keys in clear.
    @ivar old_encryption_keys: those that what is stored may be encrypted with.
    @ivar require_encryption: upstream keys in clear are not accepted.
    @ivar pool_size: connections to a database server, and threads that wait for it.
    @ivar database_url: C{""} for no database, where an application brings its own validator and projects.
    @ivar listen: Twisted endpoint descriptions, C{"tcp:8080"}.
    @ivar manage_listen: where management and metrics are served; if nowhere, they are at C{listen}, and otherwise not.
    @ivar admin_ui: pages for people at C{/admin}, where management is served.
    @ivar metrics_path: C{None} for nowhere.
    @ivar metrics_token: what the metrics ask for as a bearer; C{""} for nothing.
    @ivar inherited: descriptors and address families of sockets that are open already, one for each of C{listeners}.
    @ivar access_log: a path, C{"-"} for standard output, or C{None}.
    @ivar log_format: C{"json"} or C{"console"}.
    @ivar server_log_format: C{"text"} or C{"json"}, of what the process itself has to say.
    @ivar drain_seconds: what running exchanges get when the proxy stops.
    @ivar drain_delay: seconds between C{/ready} saying 503 and the ports closing.
    @ivar resolution: seconds; how exactly time limits are kept.
    @ivar audit: C{None} for no audit log.
    @ivar keep_ended_tokens: seconds for which a token stays that expired or was revoked; C{None} for ever.
    @ivar watch: reload when a file of the configuration changes.
    @ivar otel: the variables of OpenTelemetry, by their names; C{os.environ} has them.
    @ivar source: where all this was read, to be read again; C{None} where a program has made it.
    @ivar log_level: the least level that is logged, see L{llmproxy.sinks.accesslog.level_of}; of both logs.
    """

    apis: APIConfig
    management_token: str = field(default="", repr=False)
    encryption_key: bytes | None = field(default=None, repr=False)
    database_url: str = field(default="", repr=False)
    listen: Sequence[str] = ()
    access_log: str | None = None
    log_format: str = "json"
    log_level: str = "info"
    server_log_format: str = "text"
    metrics_path: str | None = "/metrics"
    metrics_token: str = field(default="", repr=False)
    drain_seconds: float = 30.0
    drain_delay: float = 0.0
    resolution: float = 0.1
    cache: CacheOptions = field(factory=CacheOptions)
    audit: AuditOptions | None = None
    inherited: Sequence[tuple[int, int]] = ()
    old_encryption_keys: Sequence[bytes] = field(default=(), repr=False)
    require_encryption: bool = False
    pool_size: int = DEFAULT_POOL_SIZE
    keep_ended_tokens: float | None = None
    manage_listen: Sequence[str] = ()
    watch: bool = False
    otel: Mapping[str, str] = field(factory=dict, repr=False)
    source: ConfigSource | None = field(default=None, eq=False, repr=False)
    admin_ui: bool = False

    @property
    def pages_beside_apis(self) -> bool:
        """Whether pages and APIs have the same address: then no API may answer a browser with a page of its own."""
        return self.admin_ui and not self.manage_listen

    @property
    def any_pages_beside_apis(self) -> bool:
        """The same of pages of people who sign in by an identity provider, too: these are always there."""
        return self.pages_beside_apis or self.apis.identity is not None

    @property
    def exposed_pages(self) -> list[str]:
        """Endpoint descriptions where other machines find the pages at the address of the APIs."""
        return [each for each in self.listen if self.pages_beside_apis and not is_private(each)]

    @property
    def listeners(self) -> list[tuple[str, str]]:
        """Every endpoint description, with the option that it comes from."""
        return [("--listen", each) for each in self.listen] + [("--manage-listen", each) for each in self.manage_listen]

    def secrets(self) -> list[str]:
        """The secrets in here, as texts."""
        keys = [key for key in (self.encryption_key, *self.old_encryption_keys) if key is not None]
        passwords = [each.location.password or "" for each in (self.redis, self.cache.redis) if each is not None]
        clients = [] if self.apis.identity is None else self.apis.identity.secrets()
        own = [self.management_token, self.metrics_token, *passwords, *clients]
        return own + [b64encode(key).decode() for key in keys]

    @property
    def redis(self) -> RedisOptions | None:
        """
        What machines share for limits and events; C{None} for nothing.

        @raise ConfigError: the URL of a program is none.
        """
        return self.apis.redis.options()

    def masking(self) -> Masking:
        """A mask that knows the secrets in here."""
        return Masking(self.secrets())


def exposed(settings: Settings) -> list[str]:
    """A sentence for each address where other machines find the admin pages beside the APIs."""
    return [
        f"{each}: the admin pages are open to other machines beside the APIs; give them a listener of their own with "
        "--manage-listen, or leave them off"
        for each in settings.exposed_pages
    ]


class SettingsArguments(TypedDict, total=False):
    """The L{Settings} of an embedded proxy as keyword arguments: those that are not about ports."""

    management_token: str
    encryption_key: bytes | None
    database_url: str
    access_log: str | None
    log_format: str
    log_level: str
    metrics_path: str | None
    metrics_token: str
    drain_seconds: float
    resolution: float
    cache: CacheOptions | None
    audit: AuditOptions | None
    old_encryption_keys: Sequence[bytes]
    require_encryption: bool
    pool_size: int
    keep_ended_tokens: float | None
    admin_ui: bool
    otel: Mapping[str, str]


def settings_of(config: APIConfig | ProxyConfig | Settings, given: SettingsArguments) -> Settings:
    """
    What an application has given, as one value.

    @param given: where C{config} is only the APIs; C{cache=None} is the usual cache.
    @raise TypeError: C{config} is no configuration; there is no setting of such a name, or C{config} has them all
        already.
    @raise ConfigError: with all values that are none.
    """
    settings = _settings_of(config, given)
    problems = list(check_settings({name: getattr(settings, name) for name in RULES}))
    if problems:
        raise ConfigError(*problems)
    return settings


def _settings_of(config: APIConfig | ProxyConfig | Settings, given: SettingsArguments) -> Settings:
    if isinstance(config, Settings):
        if given:
            raise TypeError(f"the Settings that are given have these already: {', '.join(given)}")
        return config
    if not isinstance(config, APIConfig | ProxyConfig):
        raise TypeError(
            f"{type(config).__name__} is no configuration: load_api_config(path) reads one, a ProxyConfig is one"
        )
    unknown = given.keys() - SettingsArguments.__annotations__.keys()
    if unknown:
        raise TypeError(f"TransparentProxy has no argument {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {**given}
    if values.get("cache") is None:
        values.pop("cache", None)
    apis = config.alone() if isinstance(config, ProxyConfig) else config
    return Settings(apis.with_telemetry(values.get("otel") or {}), **values)
