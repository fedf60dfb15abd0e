"""A look at the versions of Python, of packages and of libraries."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from .. import __version__
from ..core.doctor.versions import PackageFacts, VersionFacts
from .subject import Subject

PACKAGE = "txllmproxy"

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(?:;(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*[\"']([^\"']+)[\"']")


def look_at_versions(subject: Subject) -> VersionFacts:
    """What is installed, and what the configuration needs besides."""
    import sqlite3
    import ssl

    found = tuple(_packages(declared(), needed(subject)))
    libraries = (ssl.OPENSSL_VERSION.rsplit(" ", 3)[0], f"SQLite {sqlite3.sqlite_version}")
    return VersionFacts(__version__, sys.version_info[:2], found, libraries)


def declared() -> list[str]:
    """What the package requires, as its metadata say; nothing for a checkout that is not installed."""
    try:
        return requires(PACKAGE) or []
    except PackageNotFoundError:
        return []


def needed(subject: Subject) -> dict[str, str]:
    """Extras that a configuration needs, and what needs them."""
    found: dict[str, str] = {}
    url, settings, apis = subject.database_url, subject.settings, subject.apis
    if url.startswith("postgres"):
        found["postgres"] = "DATABASE_URL"
    if url.startswith(("mysql", "mariadb")):
        found["mysql"] = "DATABASE_URL"
    sinks = () if apis is None else apis.sinks
    if any(sink.type == "otlp" for sink in sinks) or (settings is not None and settings.otel):
        found["otel"] = "the export by OTLP"
    if apis is not None and any(api.meter.estimate for api in apis.apis.values()):
        found["tiktoken"] = "meter.estimate"
    return found


def _packages(requirements: list[str], extras: dict[str, str]) -> Iterator[PackageFacts]:
    for text in requirements:
        match = _REQUIREMENT.fullmatch(text.strip())
        if match is None:
            continue
        extra = _EXTRA.search(match[3] or "")
        if (extra is not None and extra[1] not in extras) or "python_version" in (match[3] or ""):
            continue
        of = "" if extra is None else extra[1]
        yield PackageFacts(match[1], match[2].strip(" ()"), _version(match[1]), extras.get(of, ""), of)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
