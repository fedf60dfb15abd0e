"""Models that reports call by their names: those that somebody answered for. Callers can send any name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from ..core.rollups import OTHER
from . import bulk
from .schema import usage_models
from .usagerows import clean, moment_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.ledger.entry import Entry

Model = tuple[str, str]
"""An API and a model."""

MOST = 1000
"""Models of an API: a server that answers for any name does not fill the roll-ups."""


def _clean(model: Model) -> Model:
    return clean(model[0], 64), clean(model[1], 255)


class KnownModels:
    """Used in one transaction at a time, like L{llmproxy.store.usageseries.SeriesNumbers}."""

    def __init__(self) -> None:
        self._known: set[Model] = set()
        self._new: set[Model] = set()

    def of(self, connection: Connection, entries: Sequence[Entry]) -> dict[Model, str | None]:
        """For each model that was asked for, as entries have it, C{None}, or what reports call it instead."""
        asked = {each: _clean(each) for each in {(entry.api, entry.model) for entry in entries} if each[1]}
        unknown = {model for model in asked.values() if model not in self._known}
        self._new = _there(connection, unknown) if unknown else set()
        if unknown:
            self._new |= _added(connection, _answered(entries, unknown - self._new))
        return {each: None if model in self._known or model in self._new else OTHER for each, model in asked.items()}

    def kept(self) -> None:
        """What the last transaction put into the database is there."""
        self._known |= self._new
        self._new = set()


def _answered(entries: Iterable[Entry], models: set[Model]) -> dict[Model, float]:
    """When each of these models was answered for that was."""
    found: dict[Model, float] = {}
    for entry in entries:
        if 0 < entry.status < 400 and (model := _clean((entry.api, entry.model))) in models:
            found.setdefault(model, moment_of(entry))
    return found


def _there(connection: Connection, models: Iterable[Model]) -> set[Model]:
    found: set[Model] = set()
    for chunk in bulk.chunks(models, 500):
        query = select(usage_models.c.api, usage_models.c.model).where(
            bulk.among(connection.dialect.name, usage_models.c.api, sorted({api for api, _ in chunk})),
            bulk.among(connection.dialect.name, usage_models.c.model, sorted({model for _, model in chunk})),
        )
        found |= {(row.api, row.model) for row in connection.execute(query)} & set(chunk)
    return found


def _added(connection: Connection, answered: dict[Model, float]) -> set[Model]:
    """Those of them that there is room for."""
    added: set[Model] = set()
    for wanted in sorted({api for api, _ in answered}):
        query = select(func.count()).select_from(usage_models).where(usage_models.c.api == wanted)
        room = max(0, MOST - (connection.scalar(query) or 0))
        added |= set(sorted(model for model in answered if model[0] == wanted)[:room])
    rows = sorted((*model, round(answered[model] * 1_000_000)) for model in added)
    bulk.insert_new(connection, usage_models, rows)
    return added
