"""Who a token belongs to, from memory where it is known."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from zope.interface import implementer

from ..core.tokens import fault_of, token_hash
from ..errors import ProxyError, TokenNotFound, Unavailable
from ..interfaces import IDirectory, IProjectActiveChecker, IRevocations, ITokenValidator
from ..message import Principal, Project, Token

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure


@implementer(IDirectory, IRevocations, ITokenValidator, IProjectActiveChecker)
class Directory:
    """
    Keyed by hashes: no secret stays in memory.

    @param ttl: seconds after which a known token is asked for again, in case another program changed it.
    @param negative_ttl: seconds that an unknown token stays unknown.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        tokens: Any,
        projects: Any,
        quota: Any = None,
        *,
        max_entries: int = 10_000,
        ttl: float = 300.0,
        negative_ttl: float = 2.0,
    ) -> None:
        self._seconds = clock.seconds
        self._tokens = tokens
        self._projects = projects
        self._quota = quota
        self._max_entries = max_entries
        self._ttl = ttl
        self._negative_ttl = negative_ttl
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._loading: dict[bytes, list[Deferred[Principal]]] = {}
        self._watching: dict[str, dict[object, tuple[Principal, Callable[[], None]]]] = {}
        self._changes = 0

    def warm(self, secret: bytes) -> Principal | None:
        entry = self._known.get(sha256(secret).digest())
        if entry is None or entry[1] <= self._seconds():
            return None
        return entry[0]

    def load(self, secret: bytes) -> Deferred[Principal]:
        digest = sha256(secret).digest()
        until = self._unknown.get(digest)
        if until is not None:
            if until > self._seconds():
                return fail(TokenNotFound())
            del self._unknown[digest]
        waiting: Deferred[Principal] = Deferred(lambda d: self._leave(digest, d))
        if digest in self._loading:
            self._loading[digest].append(waiting)
        else:
            self._loading[digest] = [waiting]
            self._load(digest, token_hash(secret), self._changes).addBoth(self._loaded, digest)
        return waiting

    def _leave(self, digest: bytes, waiting: Deferred[Principal]) -> None:
        self._loading[digest].remove(waiting)

    async def _read(self, hashed: str) -> Principal:
        token = await self._tokens.by_hash(hashed)
        if token is None:
            raise TokenNotFound()
        project = await self._projects.get(token.project_id)
        if project is None:
            raise TokenNotFound()
        return Principal(token, project)

    def _load(self, digest: bytes, hashed: str, changes: int) -> Deferred[Principal]:
        def keep(principal: Principal) -> Principal | Deferred[Principal]:
            if changes != self._changes:
                # Something was changed while this was read: it may be what was before.
                return self._load(digest, hashed, self._changes)
            self._known[digest] = (principal, self._seconds() + self._ttl)
            if len(self._known) > self._max_entries:
                self._known.popitem(last=False)
            return principal

        return Deferred.fromCoroutine(self._read(hashed)).addCallback(keep)

    def _loaded(self, outcome: Principal | Failure, digest: bytes) -> None:
        if isinstance(outcome, Principal):
            for waiting in self._loading.pop(digest):
                waiting.callback(outcome)
            return
        error: BaseException | None = outcome.value
        if isinstance(error, TokenNotFound):
            self._unknown[digest] = self._seconds() + self._negative_ttl
            if len(self._unknown) > self._max_entries:
                self._unknown.popitem(last=False)
        elif not isinstance(error, ProxyError):
            self._log.failure("tokens cannot be looked up", outcome)
            error = Unavailable("tokens cannot be looked up")
        for waiting in self._loading.pop(digest):
            waiting.errback(error)

    # -- what management tells

    def token_changed(self, token: Token) -> None:
        """A token is new, or is another now: effective from this moment on."""
        self._changes += 1
        digest = bytes.fromhex(token.token_hash)
        self._unknown.pop(digest, None)
        entry = self._known.get(digest)
        if entry is not None:
            self._known[digest] = (Principal(token, entry[0].project), entry[1])
        if not token.is_active:
            self._revoke(token.project_id, lambda principal: principal.token.id == token.id)

    def project_changed(self, project: Project) -> None:
        """A project is another now."""
        self._changes += 1
        for digest, (principal, until) in list(self._known.items()):
            if principal.project.id == project.id:
                self._known[digest] = (Principal(principal.token, project), until)
        if not project.is_active:
            self._revoke(project.id, lambda principal: True)

    def tokens_revoked(self, project_id: str) -> None:
        """All tokens of a project were revoked."""
        self._changes += 1
        for digest, (principal, _) in list(self._known.items()):
            if principal.project.id == project_id:
                del self._known[digest]
        self._revoke(project_id, lambda principal: True)

    def watch(self, principal: Principal, revoked: Callable[[], None]) -> Callable[[], None]:
        project_id, key = principal.project.id, object()
        watching = self._watching.setdefault(project_id, {})
        watching[key] = (principal, revoked)

        def forget() -> None:
            watching.pop(key, None)
            if not watching and self._watching.get(project_id) is watching:
                del self._watching[project_id]

        return forget

    def _revoke(self, project_id: str, concerns: Callable[[Principal], bool]) -> None:
        for principal, revoked in list(self._watching.get(project_id, {}).values()):
            if concerns(principal):
                revoked()

    # -- the reference's validator

    def validate_token(self, secret: str) -> Deferred[str]:
        return Deferred.fromCoroutine(self._validate(secret.encode()))

    def validate_token_with_tracking(self, secret: str) -> Deferred[str]:
        return Deferred.fromCoroutine(self._validate(secret.encode(), spend=True))

    async def _validate(self, secret: bytes, spend: bool = False) -> str:
        principal = self.warm(secret) or await self.load(secret)
        fault = fault_of(principal.token, principal.project, self._seconds())
        if fault is not None:
            raise fault
        spending = self._quota.spend(principal) if spend and self._quota is not None else None
        if spending is not None:
            await spending
        return principal.project.id

    def is_project_active(self, project_id: str) -> Deferred[bool]:
        def active(project: Project | None) -> bool:
            return project is not None and project.is_active

        found: Deferred[Project | None] = self._projects.get(project_id)
        return found.addCallback(active)
