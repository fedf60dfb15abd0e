"""
The operations of a JSON API, as values: requests are found and checked by them, and the OpenAPI document is made so.

An API is a table of paths, and of the methods of each::

    class Search(msgspec.Struct, forbid_unknown_fields=True):
        limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
        action: str | msgspec.UnsetType = msgspec.UNSET

    class Event(msgspec.Struct):
        id: str
        action: str

    class Trail:
        def routes(self) -> Routes:
            return {
                "/audit": {
                    b"GET": Operation(
                        self.list, query=Search, answer=list[Event],
                        needs="audit.read", action="audit.list", summary="List what was done.",
                    ),
                },
                "/audit/{event_id}": {
                    b"GET": Operation(
                        self.show, answer=Event,
                        needs="audit.read", action="audit.show", summary="Show one event.",
                    ),
                },
            }

        async def list(self, call: Call) -> list[Event]:
            wanted: Search = call.query
            ...

        async def show(self, call: Call) -> Event:
            event = await self._events.get(call.path["event_id"])
            if event is None:
                raise NotFound(message="audit event not found")
            call.details["audit_event_id"] = event.id
            return event

What an operation returns is sent as JSON; what it raises, a L{ProxyError}, is the answer too. A table goes to
L{llmproxy.web.manage.manage_resource} as one of C{more}.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from msgspec import Struct
from twisted.internet.defer import Deferred

from ..errors import ProxyError
from ..message import Field

if TYPE_CHECKING:
    from twisted.web.server import Request

MAX_SEGMENT = 64
"""Characters; longer ids than the database has cannot be found there."""


class NoQuery(Struct, forbid_unknown_fields=True):
    """No parameters: one that is not known is refused, as it was meant to do something."""


@define(eq=False, slots=True)
class Call:
    """
    One request to one operation.

    @ivar operation: C{None} until it is found.
    @ivar action: what a record of calls names it, once its path is found: of a method that is not supported, what it
        would be named.
    @ivar path: the segments that stand for the C{{names}} of the path.
    @ivar query: an instance of the operation's query type.
    @ivar body: an instance of the operation's body type, C{None} where it has none.
    @ivar content: the bytes that C{body} was read from.
    @ivar actor: the caller, once it is known.
    @ivar request_id: what the caller named it, or we.
    @ivar correlation_id: what the caller named the whole of which it is a part, or C{""}.
    @ivar details: what the operation adds to the record of the call; no secrets.
    @ivar status: of the answer, where it is not the operation's own.
    @ivar fields: to be sent with the answer, errors too.
    """

    request: Request
    operation: Operation | None = None
    action: str = ""
    path: Mapping[str, str] = field(factory=dict)
    query: Any = None
    body: Any = None
    content: bytes = b""
    actor: Any = None
    request_id: str = ""
    correlation_id: str = ""
    details: dict[str, object] = field(factory=dict)
    status: int | None = None
    fields: list[Field] = field(factory=list)


@frozen(eq=False)
class Operation:
    """
    What one method of one path does. C{HEAD} comes with C{GET}, C{OPTIONS} with every path.

    @ivar respond: its result is sent as JSON, C{None} as 204. A L{ProxyError} becomes the answer.
    @ivar answer: the type of the result, a struct or a C{list} of one; C{None} for 204.
    @ivar body: what the content must be; C{None} ignores it. A struct that forbids unknown fields.
    @ivar may_be_empty: without content, the body is one with all of its defaults.
    @ivar query: what the parameters must be, by their names; each is text that msgspec can convert. One that
        is empty counts as not given.
    @ivar needs: the permission that it takes, see L{llmproxy.core.roles}.
    @ivar action: what a record of calls names it.
    @ivar summary: one sentence for the document.
    @ivar errors: what else it may answer with than what follows from all of this.
    @ivar versioned: its answer has an C{ETag}.
    @ivar conditional: it knows C{If-Match}.
    @ivar paged: its answer is one page, with C{Link} to the next.
    @ivar streams: media types that its answer can be a L{llmproxy.web.streamed.Streamed} of.
    """

    respond: Callable[[Call], Coroutine[Deferred[Any], Any, Any]]
    body: type[Struct] | None = None
    status: int = 200
    action: str = ""
    answer: Any = None
    query: type[Struct] = NoQuery
    needs: str = ""
    summary: str = ""
    may_be_empty: bool = False
    errors: tuple[type[ProxyError], ...] = ()
    versioned: bool = False
    conditional: bool = False
    paged: bool = False
    streams: tuple[str, ...] = ()


Routes = Mapping[str, Mapping[bytes, Operation]]
"""By path, C{/things/{thing_id}} for example, and by method."""


@frozen(eq=False)
class Found:
    """
    @ivar path: as it stands in the table.
    @ivar names: the segments that stand for the C{{names}} of the path.
    """

    path: str
    operations: Mapping[bytes, Operation]
    names: dict[str, str]


_VERBS = {b"GET": "read", b"POST": "create", b"PUT": "replace", b"PATCH": "update", b"DELETE": "delete"}


def attempted(found: Found, method: bytes) -> str:
    """The action of a method that a path does not support, named after those that it does: C{project.delete}."""
    thing = next((each.action for each in found.operations.values()), "").partition(".")[0]
    return f"{thing}.{_VERBS.get(method, 'unknown')}"


@define(eq=False)
class _Node:
    path: str = ""
    operations: Mapping[bytes, Operation] | None = None
    children: dict[str, _Node] = field(factory=dict)
    parameter: str = ""
    any: _Node | None = None

    def below(self, segment: str) -> _Node:
        if not segment.startswith("{"):
            return self.children.setdefault(segment, _Node())
        self.any = self.any or _Node()
        if self.parameter not in ("", segment[1:-1]):
            raise ValueError(f"one place, two names: {self.parameter} and {segment[1:-1]}")
        self.parameter = segment[1:-1]
        return self.any


class RouteTable:
    """
    Finds the operations of a path.

    @raise ValueError: two tables have the same path.
    """

    def __init__(self, *tables: Routes) -> None:
        self.routes: dict[str, Mapping[bytes, Operation]] = {}
        self._root = _Node()
        for path, operations in (pair for table in tables for pair in table.items()):
            if path in self.routes:
                raise ValueError(f"{path} is there twice")
            self.routes[path] = operations
            node = self._root
            for segment in filter(None, path.split("/")):
                node = node.below(segment)
            node.path, node.operations = path, operations

    def find(self, segments: list[str]) -> Found | None:
        """
        What is at a path. A literal segment comes before a name; nothing has a name that cannot be shown, and
        not every database has one.
        """
        node, names = self._root, {}
        for segment in segments:
            child = node.children.get(segment)
            if child is None:
                if node.any is None or len(segment) > MAX_SEGMENT or not segment.isprintable():
                    return None
                child = node.any
                names[node.parameter] = segment
            node = child
        return None if node.operations is None else Found(node.path, node.operations, names)
