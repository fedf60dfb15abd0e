"""Rules of purges: which stored answers are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import asdict, frozen

from ..core.credentials import without_keys
from ..errors import BadRequest

if TYPE_CHECKING:
    from ..core.routing import RoutingTable
    from ..message import Api, Route


class UnknownAnswers(BadRequest):
    """
    Nobody can say which answers are meant.

    @ivar reason: in a word, for the audit log.
    """

    def __init__(self, reason: str, description: str, message: str) -> None:
        super().__init__(description, message=message)
        self.reason = reason


@frozen
class PurgeOrder:
    """
    What is to go: an address, all addresses that begin in one way, a project, an API, or everything.

    @ivar method: of the answers to C{url}: both that are stored where it is C{""}.
    @ivar url: every variant of this address, its query included.
    @ivar prefix: every address that begins like this; it goes before C{url}.
    @ivar project_id: only what was stored for this project.
    @ivar api: of this API; addresses are relative to it then.
    """

    method: str = ""
    url: str = ""
    prefix: str = ""
    project_id: str = ""
    api: str = ""
    all: bool = False

    def noted(self) -> dict[str, object]:
        """What is asked for, without what may be a credential: a query."""
        given = {name: value for name, value in asdict(self).items() if value and name != "url"}
        if self.prefix:
            path, mark, _ = self.prefix.partition("?")
            given["prefix"] = path + mark
        return given


@frozen
class Extent:
    """
    The answers that are meant.

    @ivar kind: what records call it.
    @ivar api: the C{space} of an API, C{None} for all.
    @ivar start: what the members that go begin with.
    @ivar url: the address, without a credential, where it is one.
    """

    kind: str
    api: str | None
    start: bytes = b""
    url: str = ""

    def outcome(self, count: int) -> bool | int:
        """What is answered: whether an address was there, otherwise how many were."""
        return count > 0 if self.kind == "exact" else count


def extent_of(order: PurgeOrder, table: RoutingTable) -> Extent:
    """
    @raise UnknownAnswers: it names nothing, or what is no address.
    @raise BadRequest: it contradicts itself, or names an API that there is none of.
    """
    if order.prefix or order.url:
        return _of_address(order, _route(order, table))
    if order.all and (order.project_id or order.api):
        raise BadRequest("all is everything: leave it out to purge a project or an API", message="invalid purge")
    if order.api:
        return Extent("project" if order.project_id else "api", _api(order.api, table).space)
    if order.project_id:
        return Extent("project", None)
    if order.all:
        return Extent("all", None)
    raise UnknownAnswers(
        "missing_fields", "or one of prefix, project_id, api and all", message="method and url are required"
    )


def _of_address(order: PurgeOrder, route: Route) -> Extent:
    if order.prefix:
        return Extent("prefix", route.api.space, route.target)
    target = without_keys(route.target, route.api.query_keys)
    # Only its own query may be one that holds a credential; what is noted is what is left.
    return Extent("exact", route.api.space, target + b"\0" + _stored_method(order.method), target.decode("ascii"))


def _route(order: PurgeOrder, table: RoutingTable) -> Route:
    try:
        target = _target(order.prefix.removesuffix("*") or "/" if order.prefix else order.url)
    except ValueError:
        raise UnknownAnswers(
            "invalid_url", "expected an address such as /v1/models?limit=5", message="invalid URL"
        ) from None
    if order.api:
        target = b"/" + _api(order.api, table).name.encode() + target
    route = table.match(target)
    if route is None:
        raise UnknownAnswers(
            "invalid_url", "it belongs to no API, and there is no default one: name the api", message="invalid URL"
        )
    return route


def _api(name: str, table: RoutingTable) -> Api:
    api = table.named(name)
    if api is not None:
        return api
    known = ", ".join(sorted(api.name for api in table.apis))
    raise BadRequest(f"known are: {known}", message="no such API")


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
