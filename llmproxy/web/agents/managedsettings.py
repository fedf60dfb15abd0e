"""C{GET /managed/settings}: the settings that Claude Code gets of the person who is signed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...core.agentgroups import first_for
from ...core.agentversions import checksum_of, payload_of
from ...errors import NotFound
from ..answerresource import AnswerResource, WholeAnswer
from .etags import is_known

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ...config.agents import AgentSettingsConfig
    from .access import Access


class ManagedSettings(AnswerResource):
    """
    404 where there are none, which leaves the client with what it has of others; empty ones are a policy, which takes
    away what it had of us.

    @param entries: gives those of the configuration that is served now.
    """

    def __init__(self, access: Access, entries: Callable[[], Sequence[AgentSettingsConfig]]) -> None:
        super().__init__()
        self._access = access
        self._entries = entries

    async def answer(self, request: Request) -> WholeAnswer:
        _, caller = await self._access.caller(request)
        found = first_for(self._entries(), caller.groups)
        if found is None:
            raise NotFound(message="no settings are managed for you")
        tag = b'"%b"' % checksum_of(found.content).encode()
        # What one person gets is nothing for a cache of many.
        fields = ((b"ETag", tag), (b"Cache-Control", b"private, no-cache"))
        if is_known(request, tag):
            return WholeAnswer(304, fields=fields)
        return WholeAnswer(content=payload_of(found.content).encode(), fields=fields)
