"""Rules of upstreams: the list of them, and which of them can be drained."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..core.upstreamreports import is_counted, summed
from ..errors import Conflict, NotFound

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.routing import RoutingTable
    from ..core.upstreamreports import UpstreamReport


@frozen
class ShownUpstream:
    """
    @ivar requests: attempts; of an upstream that is not counted, what the exchanges that have ended sent to its API.
    """

    report: UpstreamReport
    requests: int


def shown_upstreams(numbers: Any) -> list[ShownUpstream]:
    """
    All of them, in the order of the configuration.

    @param numbers: the metrics of all processes.
    """
    return [
        ShownUpstream(each, each.requests if each.counted else numbers.attempts.get(each.api, 0))
        for each in summed(numbers.upstreams())
    ]


class UpstreamRules:
    """
    @param collect: gives the numbers of all processes.
    @param set_drained: drains an upstream, or undrains it, in all processes; fires when that is done.
    @param table: gives the APIs that are served now.
    """

    def __init__(
        self,
        collect: Callable[[], Deferred[Any]],
        set_drained: Callable[[str, str, bool], Deferred[Any]],
        table: Callable[[], RoutingTable],
    ) -> None:
        self._collect = collect
        self._set_drained = set_drained
        self._table = table

    async def list(self) -> list[ShownUpstream]:
        """All of them, in the order of the configuration."""
        return shown_upstreams(await self._collect())

    async def set_drained(self, api: str, upstream: str, drained: bool) -> ShownUpstream:
        """
        Drain an upstream, or undrain it: what runs there ends as it would. Doing it twice changes nothing.

        @raise NotFound: there is none.
        @raise Conflict: it is the only one of an API of which nothing is tried again, so that nothing chooses.
        """
        self._check(api, upstream)
        await self._set_drained(api, upstream, drained)
        found = [each for each in await self.list() if (each.report.api, each.report.upstream) == (api, upstream)]
        if not found:
            raise NotFound("the configuration has changed meanwhile", message="upstream not found")
        return found[0]

    def _check(self, api: str, upstream: str) -> None:
        of = self._table().named(api)
        if of is None:
            known = ", ".join(sorted(each.name for each in self._table().apis))
            raise NotFound(f"known are: {known}", message="no such API")
        names = [each.name or api for each in of.upstreams]
        if upstream not in names:
            raise NotFound(f"those of {api} are: {', '.join(names)}", message="upstream not found")
        if not is_counted(of):
            raise Conflict(
                f"{api} has no other upstream, and no retry: there is nothing to choose from",
                message="the only upstream cannot be drained",
            )
