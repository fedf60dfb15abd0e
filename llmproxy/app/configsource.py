"""The source of the settings of a process: they can be read from there again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from ..config.dotenv import source_of
from ..errors import ConfigError


@define(eq=False)
class ConfigSource:
    """
    @ivar reader: reads the files and makes settings of them; it adds the path of each file that it opens to the set
        that it is given. It blocks, and raises L{ConfigError}. C{None} where another process reads them.
    @ivar path: the file of the APIs.
    @ivar origins: where each setting comes from that is not the default: the option, the variable.
    @ivar files: all those that were opened when the configuration was last read, whether it was good or not.
    """

    path: str
    reader: Callable[[set[str]], Any] | None
    origins: Mapping[str, str] = field(factory=dict)
    files: frozenset[str] = frozenset()

    def read(self) -> Any:
        """
        The L{llmproxy.app.settings.Settings} that hold by now.

        @raise ConfigError: with everything that is wrong.
        """
        if self.reader is None:
            raise ConfigError(f"{self.path} is read by another process")
        opened: set[str] = {self.path}
        try:
            return self.reader(opened)
        finally:
            self.files = frozenset(opened)

    def elsewhere(self) -> ConfigSource:
        """The same for a process that does not read it."""
        return ConfigSource(self.path, None, self.origins, self.files)


FROM: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "apis": ("config", ("API_CONFIG_PATH",)),
    "management_token": ("", ("MANAGEMENT_TOKEN",)),
    "encryption_key": ("", ("ENCRYPTION_KEY",)),
    "old_encryption_keys": ("", ("ENCRYPTION_KEY_OLD",)),
    "require_encryption": ("", ("REQUIRE_ENCRYPTION_KEY",)),
    "pool_size": ("", ("DATABASE_POOL_SIZE",)),
    "keep_ended_tokens": ("", ("TOKENS_KEEP_ENDED",)),
    "database_url": ("database", ("DATABASE_URL", "DATABASE_PATH")),
    "listen": ("listen", ("LISTEN_ADDR",)),
    "manage_listen": ("manage-listen", ("MANAGE_LISTEN_ADDR",)),
    "access_log": ("access-log", ("LOG_FILE",)),
    "log_format": ("", ("LOG_FORMAT",)),
    "log_level": ("", ("LOG_LEVEL",)),
    "server_log_format": ("", ("LOG_FORMAT",)),
    "metrics_path": ("", ("ENABLE_METRICS", "METRICS_PATH")),
    "metrics_token": ("", ("METRICS_TOKEN",)),
    "drain_seconds": ("drain", ()),
    "drain_delay": ("drain-delay", ()),
    "cache": (
        "",
        tuple(
            f"HTTP_CACHE_{each}"
            for each in "ENABLED BACKEND MEMORY_BYTES DEFAULT_TTL MAX_OBJECT_BYTES STREAM_RESPONSES".split()
        ),
    ),
    "audit": (
        "",
        tuple(f"AUDIT_{each}" for each in "ENABLED LOG_FILE STORE_IN_DB MAX_FILE_SIZE KEEP_FILES FSYNC".split()),
    ),
    "watch": ("watch", ("WATCH_CONFIG",)),
}
"""The option and the variables of each setting; an option comes before variables, an earlier variable before others."""


def origins(options: Mapping[str, object], defaults: Mapping[str, object], env: Mapping[str, str]) -> dict[str, str]:
    """
    Where each setting comes from that is not the default: C{--listen}, C{LISTEN_ADDR of .env}.

    @param defaults: what an option is where it was not given.
    @param env: its values may know their source, see L{llmproxy.config.dotenv.Value}.
    """
    found = {}
    for setting, (option, variables) in FROM.items():
        if option and options.get(option) not in (None, [], (), False, defaults.get(option)):
            found[setting] = f"--{option}"
            continue
        named = [name for each in variables for name in (each, f"{each}_FILE") if env.get(name)]
        if named:
            found[setting] = ", ".join(f"{name} of {source_of(env, name)}" for name in named)
    return found
