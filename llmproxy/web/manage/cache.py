"""Operations on the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
from msgspec import Meta, Struct
from twisted.internet.defer import Deferred

from ...errors import BadRequest
from ...management.purges import Extent, PurgeOrder, UnknownAnswers, extent_of
from ..operations import Call, Operation, Routes
from .cachestats import CacheStats
from .requests import Id, Name

if TYPE_CHECKING:
    from ...core.routing import RoutingTable

MAX_URL = 8192

_ADDRESS = r"/[!\"$-~]*|https?://[!\"$-.0->@-~]+(/[!\"$-~]*)?"
# What does not look like this is refused in the reference's words, below.
Url = Annotated[str, Meta(max_length=MAX_URL, extra_json_schema={"pattern": f"^(|{_ADDRESS})$"})]
Prefix = Annotated[str, Meta(max_length=MAX_URL, extra_json_schema={"pattern": rf"^(|\*|{_ADDRESS})$"})]


class Purge(Struct, forbid_unknown_fields=True):
    """What goes: an address, all addresses that begin in one way, a project, an API, or everything."""

    method: Annotated[str, Meta(max_length=32, description="With url: of the answers; both without it.")] = ""
    url: Annotated[Url, Meta(description="Every variant of this address, query included.")] = ""
    prefix: Annotated[Prefix, Meta(description="Every address that begins like this; before url.")] = ""
    project_id: Annotated[Id, Meta(description="Only what was stored for this project.")] = ""
    api: Annotated[Name, Meta(description="Of this API; addresses are relative to it then.")] = ""
    all: Annotated[bool, Meta(description="Everything, where nothing else is given.")] = False


class Purged(Struct):
    deleted: Annotated[bool | int, Meta(description="Whether the url was there; otherwise how many were.")]


class Controls(Protocol):
    """The cache as management has it."""

    def purge(self, api: str | None, tenant: str | None, start: bytes) -> Deferred[int]:
        """As L{llmproxy.interfaces.ICacheStore.purge}, in all workers."""

    def statistics(self) -> Deferred[CacheStats]: ...


class CacheRoutes:
    """
    @param controls: gives the cache; C{None} while nothing is cached.
    @param table: gives what tells which API an address belongs to, at that time.
    """

    def __init__(self, controls: Callable[[], Controls | None], table: Callable[[], RoutingTable]) -> None:
        self._controls = controls
        self._table = table

    def routes(self) -> Routes:
        return {
            "/cache/purge": {
                b"POST": Operation(
                    self.purge,
                    Purge,
                    answer=Purged,
                    needs="cache.purge",
                    action="cache.purge",
                    summary="Purge stored answers.",
                ),
            },
            "/cache/stats": {
                b"GET": Operation(
                    self.stats,
                    answer=CacheStats,
                    needs="cache.read",
                    action="cache.stats",
                    summary="Show what the cache holds and did.",
                ),
            },
        }

    async def purge(self, call: Call) -> Purged:
        order = PurgeOrder(**msgspec.structs.asdict(call.body))
        call.details |= order.noted()
        controls = self._enabled(call)
        extent = self._extent(call, order)
        count = await controls.purge(extent.api, order.project_id or None, extent.start)
        call.details["deleted"] = deleted = extent.outcome(count)
        return Purged(deleted)

    async def stats(self, call: Call) -> CacheStats:
        return await self._enabled(call).statistics()

    def _enabled(self, call: Call) -> Controls:
        controls = self._controls()
        if controls is None:
            call.details["reason"] = "caching_disabled"
            raise BadRequest(message="caching is disabled")
        return controls

    def _extent(self, call: Call, order: PurgeOrder) -> Extent:
        try:
            extent = extent_of(order, self._table())
        except UnknownAnswers as error:
            call.details["reason"] = error.reason
            raise
        call.details["purge_type"] = extent.kind
        if extent.url:
            call.details["url"] = extent.url
        return extent
