"""Fallbacks: whether one API can be asked in place of another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from .problems import unknown


class Speaks(Protocol):
    """L{llmproxy.config.model.APIProviderConfig} is one."""

    @property
    def dialect(self) -> str: ...


def no_fallback(name: str, other: str, apis: Mapping[str, Speaks]) -> str:
    """Why the API C{other} cannot be asked in place of C{name}; C{""} if it can."""
    if other not in apis:
        return unknown(other, apis, "API")
    if other == name:
        return f"{name} is the API itself; retry asks it again"
    dialect, mine = apis[other].dialect, apis[name].dialect
    if dialect != mine:
        return (
            f"{other} speaks {dialect} and {name} speaks {mine}; nothing is translated, "
            "so that both need the same dialect"
        )
    return ""
