"""C{GET /managed/settings}: the settings that Claude Code gets of the person who is signed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ...core.agentgroups import settings_for
from ...core.agentversions import version_of
from ...errors import NotFound
from ..answerresource import AnswerResource, WholeAnswer
from .etags import is_known

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.web.server import Request

    from ...config.agents import AgentSettingsConfig
    from .access import Access


class StoredSettings(Protocol):
    """C{AgentSettingsStore} is one."""

    def current(self) -> Deferred[dict[str, str]]: ...


class ManagedSettings(AnswerResource):
    """
    404 where there are none, which leaves the client with what it has; C{200 {}} where there are empty ones, which take
    away what it had of us.

    @param entries: gives those of the configuration that is served now.
    @param stored: those that were set by the management API; C{None} where there is no database.
    """

    def __init__(
        self, access: Access, entries: Callable[[], Sequence[AgentSettingsConfig]], stored: StoredSettings | None
    ) -> None:
        super().__init__()
        self._access = access
        self._entries = entries
        self._stored = stored

    async def answer(self, request: Request) -> WholeAnswer:
        _, caller = await self._access.caller(request)
        stored = {} if self._stored is None else await self._stored.current()
        entries = [(each.groups, each.content) for each in self._entries()]
        content = settings_for(entries, stored, caller.groups)
        if content is None:
            raise NotFound(message="no settings are managed for you")
        body = content.encode()
        tag = b'"%b"' % version_of(content).encode()
        # What one person gets is nothing for a cache of many.
        fields = ((b"ETag", tag), (b"Cache-Control", b"private, no-cache"))
        if is_known(request, tag):
            return WholeAnswer(304, fields=fields)
        return WholeAnswer(content=body, fields=fields)
