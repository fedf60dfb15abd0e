"""Changes of managed settings: one record of the audit log for each, however many processes serve them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..core.agentversions import Changed, changed, versions_of
from ..core.masking import mask
from ..errors import Unavailable

if TYPE_CHECKING:
    from ..config.agents import AgentSettingsConfig
    from .foundation import Foundation

AGAIN = 60.0
"""Seconds until what changed is said again to a database that was away."""


class Noting(Protocol):
    foundation: Foundation


class SettingsNotes:
    """
    Where there is a database, who serves something else than what it has says so, and the first of all processes that
    do writes the record: after a reload, and after a start with another configuration. Without one each process knows
    of its own reloads.
    """

    _log = Logger()

    def __init__(self, proxy: Noting) -> None:
        foundation = proxy.foundation
        self._audit = foundation.audit_log
        self._seconds = foundation.reactor.seconds
        self._store = None
        if foundation.stored is not None:
            from ..store.agentsettings import AgentSettingsStore

            self._store = AgentSettingsStore(foundation.reactor, foundation.stored.database)
        self._versions: dict[str, str] | None = None
        self._contents: dict[str, str] = {}
        self.due: float | None = None

    def serve(self, entries: Sequence[AgentSettingsConfig]) -> None:
        """These are served from now on; L{due} says when L{note} is to be called."""
        before, self._versions = self._versions, versions_of((each.groups, each.content) for each in entries)
        self._contents = {}
        for each in entries:
            self._contents.setdefault(", ".join(each.groups), mask(each.content or "{}"))
        if self._store is not None:
            self.due = 0.0
        elif before is not None:
            self._say(changed(before, self._versions))

    def note(self) -> Deferred[None]:
        """Tell the database what is served. Never fails."""
        self.due = None
        return Deferred.fromCoroutine(self._note())

    async def _note(self) -> None:
        if self._store is None or self._versions is None:
            return
        try:
            self._say(await self._store.note(self._versions, self._contents))
        except Unavailable:
            # It says itself that it is away; what has changed is seen by the next who asks.
            self.due = self._seconds() + AGAIN
        except Exception:
            self._log.failure("a change of managed settings could not be noted")

    def _say(self, changes: Sequence[Changed]) -> None:
        for each in changes:
            if self._audit is not None:
                self._audit.log(
                    "agents.settings_change",
                    "system",
                    "success",
                    groups=each.groups,
                    version_before=each.before,
                    version_after=each.after,
                )
