"""Operations on the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Protocol
from urllib.parse import urlsplit

import msgspec
from attrs import frozen
from msgspec import Meta, Struct
from twisted.internet.defer import Deferred

from ...core.credentials import without_keys
from ...errors import BadRequest
from ..operations import Call, Operation, Routes
from .cachestats import CacheStats
from .requests import Id, Name

if TYPE_CHECKING:
    from ...core.routing import RoutingTable
    from ...message import Api, Route

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


@frozen
class _Wanted:
    """
    @ivar kind: what records call it.
    @ivar start: what the members that go begin with.
    """

    kind: str
    api: str | None
    start: bytes = b""


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
        wanted: Purge = call.body
        call.details |= _noted(wanted)
        controls = self._enabled(call)
        what = self._what(call, wanted)
        call.details["purge_type"] = what.kind
        count = await controls.purge(what.api, wanted.project_id or None, what.start)
        call.details["deleted"] = count > 0 if what.kind == "exact" else count
        return Purged(count > 0 if what.kind == "exact" else count)

    async def stats(self, call: Call) -> CacheStats:
        return await self._enabled(call).statistics()

    def _enabled(self, call: Call) -> Controls:
        controls = self._controls()
        if controls is None:
            call.details["reason"] = "caching_disabled"
            raise BadRequest(message="caching is disabled")
        return controls

    def _what(self, call: Call, wanted: Purge) -> _Wanted:
        if wanted.prefix or wanted.url:
            route = self._route(call, wanted)
            if wanted.prefix:
                return _Wanted("prefix", route.api.space, route.target)
            target = without_keys(route.target, route.api.query_keys)
            # Only its own query may be one that holds a credential; what is noted is what is left.
            call.details["url"] = target.decode("ascii")
            return _Wanted("exact", route.api.space, target + b"\0" + _stored_method(wanted.method))
        if wanted.all and (wanted.project_id or wanted.api):
            raise BadRequest("all is everything: leave it out to purge a project or an API", message="invalid purge")
        if wanted.api:
            return _Wanted("project" if wanted.project_id else "api", self._api(wanted.api).space)
        if wanted.project_id:
            return _Wanted("project", None)
        if wanted.all:
            return _Wanted("all", None)
        call.details["reason"] = "missing_fields"
        raise BadRequest("or one of prefix, project_id, api and all", message="method and url are required")

    def _route(self, call: Call, wanted: Purge) -> Route:
        try:
            target = _target(wanted.prefix.removesuffix("*") or "/" if wanted.prefix else wanted.url)
        except ValueError:
            call.details["reason"] = "invalid_url"
            raise BadRequest("expected an address such as /v1/models?limit=5", message="invalid URL") from None
        if wanted.api:
            target = b"/" + self._api(wanted.api).name.encode() + target
        route = self._table().match(target)
        if route is None:
            call.details["reason"] = "invalid_url"
            raise BadRequest("it belongs to no API, and there is no default one: name the api", message="invalid URL")
        return route

    def _api(self, name: str) -> Api:
        table = self._table()
        api = table.named(name)
        if api is not None:
            return api
        known = ", ".join(sorted(api.name for api in table.apis))
        raise BadRequest(f"known are: {known}", message="no such API")


def _noted(wanted: Purge) -> dict[str, object]:
    """What is asked for, without what may be a credential: a query."""
    given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value and name != "url"}
    if wanted.prefix:
        path, mark, _ = wanted.prefix.partition("?")
        given["prefix"] = path + mark
    return given


def _target(text: str) -> bytes:
    """
    The target of an address: a path with its query, or a whole URL, of which the host is nothing to us.

    @raise ValueError: it is no address.
    """
    if not text.isascii() or not text.isprintable() or " " in text or "#" in text:
        raise ValueError
    if not text.startswith("/"):
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError
        text = text.partition("://")[2]
        text = text[len(parts.netloc) :]
        if not text.startswith("/"):
            text = "/" + text
    return text.encode("ascii")


def _stored_method(method: str) -> bytes:
    """The method that answers are stored under: HEAD is answered from what GET brought."""
    return {"HEAD": b"GET"}.get(method.upper(), method.upper().encode("utf-8"))
