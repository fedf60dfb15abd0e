"""The lines that a process logs once it serves: what it is, what it serves, where, and with what."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from twisted import __version__ as twisted_version

from .. import __version__
from ..config.certificates import certificate_file
from ..core.ledger.settings import ledger_directory
from .leasedbudgets import are_leased

if TYPE_CHECKING:
    from ..config.apis import APIConfig
    from ..config.model import APIProviderConfig
    from .settings import Settings

SHOWN = 20
"""APIs that are named in a line; more are counted."""


def summary(settings: Settings, ports: Sequence[Any], workers: Sequence[int] = ()) -> list[str]:
    """
    A line each: version, APIs, listeners, TLS, database, ledger, cache, audit log, sinks, workers. Nothing is secret.

    @param ports: the addresses of C{settings.listeners}, in their order.
    @param workers: their process ids; none where the process itself serves.
    """
    shown = [
        (option, _address(description, port))
        for (option, description), port in zip(settings.listeners, ports, strict=True)
    ]
    own = f"Python {platform.python_version()}, Twisted {twisted_version}"
    return [
        f"llmproxy {__version__} ({own}), process {os.getpid()}",
        f"APIs: {_apis(settings.apis)}",
        f"listening: {_listening(settings, shown)}",
        f"TLS: {_tls(settings, [address for _, address in shown])}",
        f"database: {_database(settings)}",
        f"ledger: {_ledger(settings)}",
        f"cache: {_cache(settings)}",
        f"limits of usage: {_limits(settings)}",
        f"audit log: {_audit(settings)}",
        *([f"events: {_sinks(settings)}"] if settings.apis.sinks else []),
        f"workers: {len(workers)} (processes {', '.join(map(str, workers))})"
        if workers
        else "workers: 1 (this process)",
    ]


def log_summary(log: Callable[..., None], settings: Settings, ports: Sequence[Any], pids: Sequence[int] = ()) -> None:
    """Say it; a line that cannot be made is no reason not to serve."""
    for line in summary(settings, ports, pids):
        log("{line}", line=line)


def _address(description: str, host: Any) -> str:
    """What to type into a client, as far as there is such a thing: C{http://127.0.0.1:8080}, C{unix:/run/x.sock}."""
    kind = description.partition(":")[0]
    if kind == "unix":
        name = getattr(host, "name", None) or description.split(":")[1]
        return f"unix:{os.fsdecode(name)}"
    name, port = getattr(host, "host", None), getattr(host, "port", None)
    if name is None:
        return description
    return f"{'https' if kind in ('ssl', 'tls') else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"


def _sinks(settings: Settings) -> str:
    """Where events go, without addresses: those may hold what is nobody's business."""
    return ", ".join(f"{sink.name} ({sink.type})" for sink in settings.apis.sinks)


def _apis(apis: APIConfig) -> str:
    names = [
        f"{name}{' (default)' if name == apis.default_api else ''} at {_places(api)}" for name, api in apis.apis.items()
    ]
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _places(api: APIProviderConfig) -> str:
    urls = list(dict.fromkeys(each.base_url for each in api.upstreams)) or [api.base_url]
    more = len(urls) - SHOWN
    return " and ".join(urls[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _listening(settings: Settings, shown: Sequence[tuple[str, str]]) -> str:
    """Each address, with what is served there."""
    metrics = "" if settings.metrics_path is None else f", metrics at {settings.metrics_path}"
    pages = ", pages at /admin" if settings.admin_ui and settings.management_token else ""
    apart = f"management at /manage{pages}{metrics}"
    here = "the proxy" if settings.manage_listen or not settings.management_token else f"the proxy, {apart}"
    if not settings.manage_listen and not settings.management_token:
        here += metrics
    return "; ".join(f"{address} ({here if option == '--listen' else apart})" for option, address in shown) or "nowhere"


def _tls(settings: Settings, addresses: Sequence[str]) -> str:
    found = []
    for (_, description), address in zip(settings.listeners, addresses, strict=True):
        if description.startswith("ssl:"):
            found.append(f"{address} with {_certificate(certificate_file(description))}")
        elif description.startswith("tls:"):
            served = ", ".join(_certificate(each.cert) for each in settings.apis.tls.certificates)
            found.append(f"{address} with {served}")
    return "; ".join(found) or "none, clients are served in clear"


def _certificate(path: str) -> str:
    """The file of a certificate and how long it is good."""
    from cryptography.x509 import load_pem_x509_certificate

    try:
        with open(path, "rb") as file:
            certificate = load_pem_x509_certificate(file.read())
    except (OSError, ValueError):
        return path
    until = certificate.not_valid_after_utc
    word = "EXPIRED on" if until < datetime.now(timezone.utc) else "good until"
    return f"{path}, {word} {until:%Y-%m-%d}"


def _database(settings: Settings) -> str:
    """Not by SQLAlchemy, which a parent of workers never loads."""
    scheme, separator, rest = settings.database_url.partition("://")
    if not separator:
        where = f"SQLite, {settings.database_url}"
    elif scheme.startswith("sqlite"):
        where = f"SQLite, {rest.removeprefix('/') or 'in memory'}"
    else:
        place = rest.rpartition("@")[2].partition("?")[0]
        where = f"{scheme.partition('+')[0]}://{place}"
    return f"{where}; the keys of providers are {'encrypted' if settings.encryption_key else 'NOT encrypted'}"


def _ledger(settings: Settings) -> str:
    options = settings.apis.ledger
    if not options.enabled or not settings.database_url:
        return "off, exchanges leave no records"
    where = ledger_directory(options.directory, settings.database_url)
    return "in memory, as the database" if where is None else where


def _cache(settings: Settings) -> str:
    names = [name for name, api in settings.apis.apis.items() if api.cache.settings().enabled]
    cache = settings.cache
    if not cache.enabled or not names:
        return "off"
    where = f"{cache.memory_bytes / 2**20:.0f} MiB in memory" if cache.redis is None else cache.redis.location.label
    return f"{where}, for {', '.join(names[:SHOWN])}{' and others' if len(names) > SHOWN else ''}"


def _limits(settings: Settings) -> str:
    redis = settings.redis
    if redis is not None:
        return f"counted in {redis.location.label}"
    here = "counted in the memory of this machine"
    return f"{here}, budgets by leases in the database" if are_leased(settings) else here


def _audit(settings: Settings) -> str:
    audit = settings.audit
    if audit is None:
        return "off"
    places = [*([audit.file] if audit.file is not None else []), *(["the database"] if audit.in_database else [])]
    return " and ".join(places) or "off"
