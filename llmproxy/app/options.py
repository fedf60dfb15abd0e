"""What the command line hands over to the service; made by a parent that serves nothing itself, too."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

from ..config.variables import DEFAULT_POOL_SIZE
from ..core.caching.settings import CacheOptions
from ..core.masking import Masking

if TYPE_CHECKING:
    from ..config import APIConfig
    from ..core.audit.settings import AuditOptions


@frozen
class ServiceOptions:
    """
    @ivar listen: Twisted endpoint descriptions, C{"tcp:8080"}.
    @ivar manage_listen: where management and metrics are served; if nowhere, they are at C{listen}, and otherwise not.
    @ivar metrics_token: what the metrics ask for as a bearer; C{""} for nothing.
    @ivar inherited: descriptors and address families of sockets that are open already, one for each of C{listeners}.
    @ivar access_log: a path, C{"-"} for standard output, or C{None}.
    @ivar log_format: C{"json"} or C{"console"}.
    @ivar server_log_format: C{"text"} or C{"json"}, of what the process itself has to say.
    @ivar drain_delay: seconds between C{/ready} saying 503 and the ports closing.
    @ivar audit: C{None} for no audit log.
    @ivar keep_ended_tokens: seconds for which a token stays that expired or was revoked; C{None} for ever.
    @ivar log_level: the least level that is logged, see L{llmproxy.sinks.accesslog.level_of}; of both logs.
    """

    apis: APIConfig
    management_token: str = field(repr=False)
    encryption_key: bytes | None = field(repr=False)
    database_url: str = field(repr=False)
    listen: Sequence[str]
    access_log: str | None = "-"
    log_format: str = "json"
    log_level: str = "info"
    server_log_format: str = "text"
    metrics_path: str | None = "/metrics"
    metrics_token: str = field(default="", repr=False)
    drain_seconds: float = 30.0
    drain_delay: float = 0.0
    cache: CacheOptions = field(factory=CacheOptions)
    audit: AuditOptions | None = None
    inherited: Sequence[tuple[int, int]] = ()
    old_encryption_keys: Sequence[bytes] = field(default=(), repr=False)
    require_encryption: bool = False
    pool_size: int = DEFAULT_POOL_SIZE
    keep_ended_tokens: float | None = None
    manage_listen: Sequence[str] = ()

    @property
    def listeners(self) -> list[tuple[str, str]]:
        """Every endpoint description, with the option that it comes from."""
        return [("--listen", each) for each in self.listen] + [("--manage-listen", each) for each in self.manage_listen]

    def masking(self) -> Masking:
        """A mask that knows the secrets in here."""
        keys = [key for key in (self.encryption_key, *self.old_encryption_keys) if key is not None]
        return Masking([self.management_token, self.metrics_token, *(b64encode(key).decode() for key in keys)])
