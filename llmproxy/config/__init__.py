"""The operator's configuration: the YAML of the APIs, and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .apis import APIConfig, ProxyConfig
from .capture import CaptureConfig
from .model import (
    APIProviderConfig,
    BreakerConfig,
    CacheConfig,
    ConnectionConfig,
    TimeoutConfig,
)

__all__ = [
    "APIConfig",
    "APIProviderConfig",
    "BreakerConfig",
    "CacheConfig",
    "CaptureConfig",
    "ConnectionConfig",
    "ProxyConfig",
    "TimeoutConfig",
    "load_api_config",
]


def load_api_config(
    path: str | os.PathLike[str],
    *,
    env: Mapping[str, str] | None = None,
    default_api: str | None = None,
    files: set[str] | None = None,
) -> APIConfig:
    """
    Read and check a file of APIs.

    @param env: what C{${NAME}} in the file is taken from; the environment of the process if not given.
    @param default_api: the API to serve at C{/}, above what the file says.
    @param files: where the paths of other files are noted that are read for it: those with secrets.
    @raise ConfigError: with everything that is wrong, each with file, line and column.
    """
    from .compile import reserved_names
    from .document import TooMuch, compose, read
    from .problems import Problems
    from .schema import read_config

    problems = Problems(os.fspath(path))
    text = read(os.fspath(path), problems)
    root = compose(text, problems, os.environ if env is None else env, files) if text is not None else None
    problems.fail()
    assert root is not None
    try:
        config = APIConfig.of(read_config(root, reserved_names(), default_api))
    except TooMuch:
        problems.found.clear()
        problems.add("", "its aliases repeat too many values")
    problems.fail()
    return config
