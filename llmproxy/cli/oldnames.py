"""Names, output and files of the Go program llm-proxy, for scripts that were written for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

import click
import msgspec

from ..config.problems import Problems
from .output import printable

OLD_NAME = "llm-proxy"

_LINES = "llmproxy.oldnames.lines"
_DOTENV = "llmproxy.oldnames.dotenv"
_COLUMNS = ("ID", "Name", "API Key", "Created", "Updated")
_ROW = "%-36s  %-20s  %-32s  %-20s  %-20s"


def is_old_name(context: click.Context | None = None) -> bool:
    """Whether the program was called by its old name."""
    found = context or click.get_current_context(silent=True)
    return found is not None and found.find_root().info_name == OLD_NAME


def print_old_lines(context: click.Context) -> None:
    """From here on commands print what the Go program prints."""
    context.meta[_LINES] = True


def prints_old_lines() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_LINES))


def read_dotenv(context: click.Context, path: str) -> None:
    """
    Let L{dotenv_value} know the variables of a file, if it is there; what cannot be understood of it is left out.
    """
    from ..config.dotenv import parse_dotenv

    try:
        with open(path, encoding="utf-8") as file:
            context.meta[_DOTENV] = parse_dotenv(file.read(), Problems(path))
    except (OSError, UnicodeDecodeError):
        return


def dotenv_value(name: str) -> str:
    """A variable of that file; C{""} if there is none."""
    context = click.get_current_context(silent=True)
    found: Mapping[str, str] = {} if context is None else context.meta.get(_DOTENV, {})
    return found.get(name, "").strip()


def project_lines(project: Mapping[str, Any]) -> Iterator[str]:
    cells = _cells(project)
    yield from (f"{name}: {cell}" for name, cell in zip(_COLUMNS, cells, strict=True))


def project_rows(projects: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield (_ROW % _COLUMNS).rstrip()
    yield from ((_ROW % _cells(project)).rstrip() for project in projects)


def token_lines(token: Mapping[str, Any]) -> Iterator[str]:
    secret = token["token"]
    yield f"Token: {secret}"
    yield f"Obfuscated: {secret[:7]}{'*' * (len(secret) - 11)}{secret[-4:]}"
    yield f"Expires at: {token['expires_at']}"


def _cells(project: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("id", "name", "api_key")
    texts = [printable(str(project.get(name) or "")) for name in names]
    return (*texts, _minute(project["created_at"]), _minute(project["updated_at"]))


def _minute(text: str) -> str:
    when = msgspec.convert(text, datetime)
    return when.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M")
