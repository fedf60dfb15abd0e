"""Versions of the managed settings of coding agents in the database: a change is noted once by all processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import and_, select
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred

from ..core.agentversions import Changed, SettingsVersion, changed
from .agentsettingstables import agent_settings
from .schema import settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .contracts import ITransactions

_NAME = "agent_settings"
"""Of the setting that has what is served now: versions by groups."""

_TRIES = 5

MOST_KEPT = 500
"""Versions; those before are forgotten."""

_COLUMNS = tuple(agent_settings.columns)


class AgentSettingsStore:
    """
    @param clock: its C{seconds} are since the epoch.
    """

    def __init__(self, clock: Any, database: ITransactions) -> None:
        self._seconds = clock.seconds
        self._database = database

    async def note(self, versions: Mapping[str, str], contents: Mapping[str, str]) -> Sequence[Changed]:
        """
        What is served from now on, by groups.

        @param contents: JSON, masked, likewise.
        @return: what of it was another before, for the one who was first to say so; others are given nothing.
        """
        for _ in range(_TRIES):
            noting = self._database.run(lambda connection: self._note(connection, dict(versions), contents))
            found = await noting.addErrback(_taken)
            if found is not None:
                return found
        return ()

    def _note(
        self, connection: Connection, versions: dict[str, str], contents: Mapping[str, str]
    ) -> list[Changed] | None:
        which = settings.c.name == _NAME
        known: str | None = connection.scalar(select(settings.c.value).where(which))
        found = changed(json.loads(known or "{}"), versions)
        if not found:
            return found
        value = json.dumps(versions, ensure_ascii=False, sort_keys=True)
        if known is None:
            connection.execute(settings.insert().values(name=_NAME, value=value))
        elif not connection.execute(
            settings.update().where(and_(which, settings.c.value == known)).values(value=value)
        ).rowcount:
            return None
        now = self._seconds()
        for each in found:
            row = {
                "id": str(uuid4()),
                "noted_at": now,
                "groups": each.groups,
                "version": each.after,
                "version_before": each.before,
                "content": contents.get(each.groups, "") if each.after else "",
            }
            connection.execute(agent_settings.insert().values(row))
        order = agent_settings.c.noted_at.desc()
        last = connection.scalar(select(agent_settings.c.noted_at).order_by(order).offset(MOST_KEPT).limit(1))
        if last is not None:
            connection.execute(agent_settings.delete().where(agent_settings.c.noted_at <= last))
        return found

    def versions(self, limit: int) -> Deferred[list[SettingsVersion]]:
        """Those that there were, the last ones first."""
        query = select(*_COLUMNS).order_by(agent_settings.c.noted_at.desc(), agent_settings.c.groups).limit(limit)
        return self._database.read(lambda connection: [SettingsVersion(*row) for row in connection.execute(query)])


def _taken(reason: Any) -> None:
    """Another process was first; what it has said is read again."""
    reason.trap(IntegrityError)
