"""Rules of exchanges that run: all of them, and cutting one by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import NotFound

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


class ExchangeRules:
    """
    @param running: gives those of all processes, see L{llmproxy.core.running.together}, masked.
    @param cut: ends those of a request id in all processes; how many there were.
    """

    def __init__(self, running: Callable[..., Deferred[Any]], cut: Callable[[str], Deferred[int]]) -> None:
        self._running = running
        self._cut = cut

    async def running(self, person: str = "", session: str = "") -> dict[str, Any]:
        """
        @param person: the id of a person, for theirs alone; C{session} likewise.
        """
        wanted = {name: value for name, value in (("person", person), ("session", session)) if value}
        found: dict[str, Any] = await self._running(**wanted)
        return found

    async def cut(self, request_id: str) -> int:
        """
        End an exchange: its record says that it was revoked. Ids that clients choose may be those of several.

        @raise NotFound: none of this id runs.
        """
        count = await self._cut(request_id)
        if not count:
            raise NotFound("it has ended, or there was none", message="exchange not found")
        return count
