"""The environment variables, from where the proxy itself has them and from the options of its commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from llmproxy.config.variables import EFFECTIVE, OTEL_VARIABLES, SECRETS

from .commands import commands, options
from .tables import cell, code, table

GROUPS: tuple[tuple[str, str], ...] = (
    ("Secrets and keys", r"MANAGEMENT_TOKEN|.*ENCRYPTION_KEY.*"),
    ("Configuration and listeners", r"API_CONFIG_PATH|WATCH_CONFIG|DEFAULT_API|LISTEN|MANAGE_LISTEN|.*TLS|ADMIN_UI"),
    ("Proxies in front", r"TRUSTED_PROXIES|FORWARDED"),
    ("Database", r"DATABASE|DB_|TOKENS_KEEP"),
    ("Logs and metrics", r"LOG_|.*METRICS"),
    ("Audit log", r"AUDIT"),
    ("Cache", r"HTTP_CACHE|REDIS_CACHE|REDIS_(ADDR|DB|PASSWORD)|CACHE_STATS"),
    ("Redis of limits", r"REDIS_(URL|POOL_SIZE|TIMEOUT|KEY_PREFIX)"),
    ("Events", r"LLM_PROXY_EVENT_BUS|FILE_EVENT_LOG|REDIS_STREAM_(KEY|MAX_LEN)|OBSERVABILITY"),
    ("The dispatcher", r".*DISPATCHER|REDIS_(CONSUMER|STREAM)|LLM_PROXY_API_KEY|LANGFUSE"),
)
"""Which variable stands in which table: the first that begins so."""

_NAME = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b(?:MODEL|VERBOSE)\b")


def group_of(name: str) -> str:
    """The title of the table that a variable is in."""
    if name in OTEL_VARIABLES:
        return "OpenTelemetry"
    return next((title for title, pattern in GROUPS if re.match(pattern, name)), "Others")


def tables(variables: Mapping[str, str]) -> Iterator[str]:
    titles = [*(title for title, _ in GROUPS), "Others", "OpenTelemetry"]
    for title in titles:
        rows = [
            (code(name) + (" (`_FILE`)" if name in SECRETS else ""), cell(text))
            for name, text in variables.items()
            if group_of(name) == title
        ]
        if rows:
            yield f"### {title}\n\n" + table(("variable", "what it says"), rows)


def listed() -> str:
    """Those of a proxy, and of its dispatcher."""
    return "\n".join(tables(EFFECTIVE))


def of_commands() -> str:
    """Those that an option of a command names, and that are no proxy's."""
    found: dict[str, list[str]] = {}
    for path, command in commands():
        for names, text in options(command):
            for name in _NAME.findall(text):
                if name not in EFFECTIVE and not name.endswith("_FILE"):
                    where = f"`{' '.join(('llmproxy', *path))}` {names}"
                    found.setdefault(name, []).append(where)
    rows = [(code(name), _where(places)) for name, places in sorted(found.items())]
    return table(("variable", "the option that it stands for"), rows)


def _where(places: list[str]) -> str:
    if len(places) <= 3:
        return "; ".join(places)
    option = places[0].partition("` ")[2]
    return f"{option} of {len(places)} commands that ask a running proxy"
