"""The keys of C{apis.<name>.attribution}, and how each is read."""

from __future__ import annotations

from typing import Any

from ..core.attributing.attribution import HASHABLE
from ..core.attributing.tags import NAME
from .document import Item
from .model import AttributionConfig
from .readers import NOTED, Reader, all_of, by, flag, one_of, section


def _tag(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"expected the name of a tag, in lower case, such as team, got {text[:60]!r}")
    return text


def _product(text: str) -> str:
    if not text or not text.isprintable() or set(text) & set(" /("):
        raise ValueError(f"expected a product as User-Agent names it, without its version, got {text[:60]!r}")
    return text


def _by_project(item: Item) -> Any:
    return {project: all_of(by(_tag))(names) for project, names in item.mapping().items()}


ATTRIBUTION_KEYS: dict[str, Reader] = {
    "enabled": flag,
    "tags": all_of(by(_tag)),
    "project_tags": _by_project,
    "hash": all_of(by(one_of(*HASHABLE))),
    "bodies": flag,
    "programs": all_of(by(_product)),
}


def attribution(item: Item) -> Any:
    """C{false} or C{true}, or what there is to say in particular."""
    if item.is_mapping:
        return section(AttributionConfig, ATTRIBUTION_KEYS)(item)
    enabled = flag(item)
    return NOTED if enabled is NOTED else AttributionConfig(enabled)
