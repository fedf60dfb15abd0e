"""A check of settings that a program gives: what a configuration file or a variable would be refused for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from ..core.audit.settings import AuditOptions
from ..core.caching.settings import CacheOptions
from ..sinks.accesslog import LEVELS

KEY_SIZE = 32
MOST_CONNECTIONS = 1000
SECRETS = frozenset({"management_token", "metrics_token", "encryption_key", "old_encryption_keys", "database_url"})
"""No error shows what was given for one of these."""

_FORMATS = ("json", "console", "text")


def check_settings(values: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with each of L{RULES}, in sentences that begin with its name."""
    for name, (expected, fits) in RULES.items():
        given = values[name]
        if not fits(given):
            shown = f"a {type(given).__name__}" if name in SECRETS else repr(given)[:60]
            yield f"{name}: expected {expected}, got {shown}"


def _seconds(given: Any, least: float = 0.0) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and isfinite(given) and given >= least


def _text(given: Any) -> bool:
    return isinstance(given, str)


def _bearer(given: Any) -> bool:
    return isinstance(given, str) and given.isascii() and (given.isprintable() and " " not in given)


def _key(given: Any) -> bool:
    return isinstance(given, bytes) and len(given) == KEY_SIZE


def _path(given: Any) -> bool:
    return _bearer(given) and given.startswith("/") and not set(given) & set("?#")


def _several(given: Any, fits: Callable[[Any], bool]) -> bool:
    # A text is a sequence of texts.
    return isinstance(given, Sequence) and not isinstance(given, str | bytes) and all(map(fits, given))


def _texts_by_name(given: Any) -> bool:
    return isinstance(given, Mapping) and all(map(_text, (*given.keys(), *given.values())))


def _whole(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MOST_CONNECTIONS


_BEARER = ("printable ASCII characters without spaces", _bearer)
_SECONDS = ("seconds, 0 or more", _seconds)
_ENDPOINTS = ("a list of endpoint descriptions", lambda given: _several(given, _text))

RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "management_token": _BEARER,
    "encryption_key": (f"{KEY_SIZE} bytes or None", lambda given: given is None or _key(given)),
    "database_url": ("a text", _text),
    "listen": _ENDPOINTS,
    "access_log": ("a path, '-' or None", lambda given: given is None or _text(given)),
    "log_format": (f"one of {', '.join(_FORMATS)}", lambda given: given in _FORMATS),
    "log_level": (f"one of {', '.join(LEVELS)}", lambda given: given in LEVELS),
    "server_log_format": ("text or json", lambda given: given in ("text", "json")),
    "metrics_path": ("a path such as '/metrics', or None", lambda given: given is None or _path(given)),
    "metrics_token": _BEARER,
    "drain_seconds": _SECONDS,
    "drain_delay": _SECONDS,
    "resolution": ("seconds, 0.001 or more", lambda given: _seconds(given, 0.001)),
    "cache": ("CacheOptions or None", lambda given: isinstance(given, CacheOptions)),
    "audit": ("AuditOptions or None", lambda given: given is None or isinstance(given, AuditOptions)),
    "old_encryption_keys": (f"a list of {KEY_SIZE} bytes each", lambda given: _several(given, _key)),
    "require_encryption": ("True or False", lambda given: isinstance(given, bool)),
    "pool_size": (f"a whole number from 1 to {MOST_CONNECTIONS}", _whole),
    "keep_ended_tokens": ("seconds, 1 or more, or None", lambda given: given is None or _seconds(given, 1.0)),
    "manage_listen": _ENDPOINTS,
    "otel": ("a mapping of names to texts", lambda given: _texts_by_name(given)),
    "watch": ("True or False", lambda given: isinstance(given, bool)),
    "admin_ui": ("True or False", lambda given: isinstance(given, bool)),
}
"""What is expected of each setting that is neither an API nor made by the proxy itself."""
