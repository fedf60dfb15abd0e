"""Settings as they are shown to those who look after the proxy."""

from __future__ import annotations

from attrs import fields

from ..config.shown import shown
from ..management.config import ShownConfig
from .settings import Settings

_ELSEWHERE = frozenset({"apis", "inherited", "source"})


def shown_settings(settings: Settings) -> ShownConfig:
    """Without secrets: those that stand in a field of their own, those that are known, and what looks like one."""
    masking = settings.masking()
    everything = shown(settings)
    source = settings.source
    return ShownConfig(
        None if source is None else source.path,
        masking.values(everything["apis"]),
        masking.values({each.name: everything[each.name] for each in fields(Settings) if each.name not in _ELSEWHERE}),
        {} if source is None else source.origins,
    )
