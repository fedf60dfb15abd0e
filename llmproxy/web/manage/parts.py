"""What the operations work with, and what all of their resources have in common."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from attrs import field, frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.web.resource import IResource

from ...errors import NotFound, ProxyError, Unavailable
from ..jsonresource import Call, JsonResource, Operation
from .auth import ManagementAuth, ManagementUnauthorized

if TYPE_CHECKING:
    from ...interfaces import IAuditLogger, IProjectStore, ITokenStore
    from ...message import Project, Token

T = TypeVar("T")

MAX_ID = 64
"""Longer ids than the database has cannot be found there."""


class KeepsTokens(Protocol):
    """Where tokens are kept warm; told of every change before the client is."""

    def token_changed(self, token: Token) -> None: ...

    def project_changed(self, project: Project) -> None: ...

    def project_tokens_revoked(self, project_id: str) -> None: ...


class KeepsCounts(Protocol):
    """Where uses are counted before they are written down."""

    def flush(self) -> Deferred[None]: ...

    def settle(self, token_id: str) -> Deferred[None]: ...


@frozen(eq=False)
class Parts:
    """
    @ivar seconds: the time, since the epoch.
    @ivar changing: held while something is changed and told to C{directory}, so that two changes
        cannot be told in the wrong order.
    """

    seconds: Callable[[], float]
    projects: IProjectStore
    tokens: ITokenStore
    directory: KeepsTokens
    quota: KeepsCounts
    auth: ManagementAuth = field(repr=False)
    audit: IAuditLogger | None = None
    changing: DeferredLock = field(factory=DeferredLock)

    async def alone(self, change: Callable[[], Coroutine[Deferred[Any], Any, T]]) -> T:
        """Await C{change} while nothing else changes."""
        return await self.changing.run(lambda: Deferred.fromCoroutine(change()))

    async def written_down(self, writing: Deferred[None]) -> None:
        """Wait for it; if it cannot be written, what is stored is shown as it is."""
        try:
            await writing
        except Unavailable:
            pass


class ManageResource(JsonResource):
    """
    A place below C{/manage}: guarded, and every call noted in the audit log.

    @param child: makes the resource for a segment below this one.
    """

    def __init__(
        self,
        parts: Parts,
        operations: Mapping[bytes, Operation],
        child: Callable[[str], IResource] | None = None,
    ) -> None:
        super().__init__(operations)
        self.isLeaf = False
        self._parts = parts
        self._child = child

    def getChild(self, path: bytes, request: Any) -> IResource:
        name = path.decode("utf-8", "replace")
        if self._child is None or len(name) > MAX_ID:
            return Missing(self._parts)
        return self._child(name)

    def authorize(self, request: Any) -> None:
        self._parts.auth.check(request)

    def finished(self, call: Call, operation: Operation | None, error: ProxyError | None) -> None:
        audit = self._parts.audit
        if audit is None:
            return
        denied = isinstance(error, ManagementUnauthorized)
        action = "admin.access" if denied or operation is None else operation.action
        if error is not None:
            call.details.setdefault("error", error.message)
        audit.log(
            action,
            "anonymous" if denied else "management_api",
            "success" if error is None else "denied" if denied else "failure" if error.status < 500 else "error",
            **_common(call.request),
            **call.details,
        )


class Missing(ManageResource):
    """What is not there, for those who may ask."""

    def __init__(self, parts: Parts, child: Callable[[str], IResource] | None = None) -> None:
        super().__init__(parts, {}, child)

    def refusal(self, method: bytes) -> ProxyError:
        return NotFound()


def _common(request: Any) -> dict[str, object]:
    details: dict[str, object] = {
        "http_method": request.method.decode("latin-1"),
        "endpoint": request.uri.partition(b"?")[0].decode("latin-1")[:512],
    }
    agent = request.getHeader(b"user-agent")
    if agent:
        details["user_agent"] = agent.decode("latin-1")[:256]
    return details
