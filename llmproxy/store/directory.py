"""The directory: tokens and their projects in memory, with listeners for their changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.tokens import as_changed, as_held, fault_of, is_jwt, is_well_formed
from ..errors import (
    ClientError,
    InvalidToken,
    ProjectDeactivated,
    ProxyError,
    TokenNotFound,
    TokenRevoked,
    Unavailable,
)
from ..interfaces import IDirectory, IProjectActiveChecker, IRevocations, ITokenValidator
from ..message import Principal, Project, Token

if TYPE_CHECKING:
    from ..interfaces import IProjectStore, IQuota, ITokenStore

OUTAGE_GRACE = 900.0
"""Seconds for which a token that was warm works on while the store cannot be asked."""

RETRY_AFTER = 5.0
"""Seconds until the store is asked again about such a token: who waits for it is not to wait at every request."""

_ATTEMPTS = 5
"""How often a load is begun anew because something changed under it."""


@frozen(eq=False)
class _Entry:
    """
    @ivar fresh_until: when the store is asked again.
    @ivar good_until: when the entry is of no use any more, even if the store cannot be asked.
    """

    principal: Principal
    fresh_until: float
    good_until: float


@define(eq=False, slots=True)
class _Loading:
    """
    A load in flight: everybody who asks for the same token meanwhile waits for it.

    @ivar find: gives the token; C{None} asks the store by its hash.
    """

    digest: bytes
    find: Callable[[], Coroutine[Any, Any, Token]] | None = field(default=None, repr=False)
    stale: bool = False
    attempts: int = 1
    waiting: list[Deferred[Principal]] = field(factory=list)


@define(eq=False, slots=True)
class _Watch:
    principal: Principal
    revoked: Callable[[], None] = field(repr=False)


@implementer(IDirectory, ITokenValidator, IProjectActiveChecker, IRevocations)
class Directory:
    """
    Entries are found by the SHA-256 of the secret: what is in memory opens nothing if it leaks.

    The least recently used entry makes room for a new one. A caller that changes a token or a project
    tells L{token_changed} or L{project_changed} before saying that it is done; a load in flight at
    that moment is begun again, for it may have read the old state.

    @param clock: its C{seconds} are since the epoch.
    @param ttl: seconds after which an entry is asked for again: what another process changed is
        noticed then, at the latest.
    @param grace: seconds that entries are used after that while the store cannot be asked.
    @param negative_ttl: seconds that an unknown token is remembered.
    @param find_token: looks tokens up by their hash; C{tokens} does so one by one.
    @param find_project: likewise projects, by their id.
    @param quota: what L{validate_token_with_tracking} spends from.
    @ivar foreign: gives the token behind an access token of an identity provider, with the hash of that; C{None} where
        none is taken.
    @ivar on_loss: called when somebody may do less than before, or their project has other keys.
    """

    def __init__(
        self,
        clock: Any,
        tokens: ITokenStore,
        projects: IProjectStore,
        *,
        max_entries: int = 10_000,
        ttl: float = 300.0,
        grace: float = OUTAGE_GRACE,
        negative_ttl: float = 2.0,
        max_negative: int = 10_000,
        quota: IQuota | None = None,
        find_token: Callable[[str], Deferred[Token | None]] | None = None,
        find_project: Callable[[str], Deferred[Project | None]] | None = None,
    ) -> None:
        self._seconds = clock.seconds
        self._projects = projects
        self._find_token = find_token or tokens.by_hash
        self._find_project = find_project
        self._max_entries = max_entries
        self._ttl = ttl
        self._grace = grace
        self._negative_ttl = negative_ttl
        self._max_negative = max_negative
        self._quota = quota
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._loading: dict[bytes, _Loading] = {}
        self._watches: set[_Watch] = set()
        self.on_loss: Callable[[], object] = lambda: None
        self.foreign: Callable[[bytes], Coroutine[Any, Any, Token]] | None = None
        self._tables: list[tuple[dict[Any, Principal], Callable[[Any, ProxyError], object]]] = []

    def warm(self, secret: bytes) -> Principal | None:
        digest = sha256(secret).digest()
        entry = self._entries.get(digest)
        if entry is None or self._seconds() > entry.fresh_until:
            return None
        self._entries.move_to_end(digest)
        return entry.principal

    def load(self, secret: bytes) -> Deferred[Principal]:
        foreign = None
        if not is_well_formed(secret):
            foreign = self.foreign
            if foreign is None or not is_jwt(secret):
                return fail(InvalidToken("invalid token format"))
        digest = sha256(secret).digest()
        if self._unknown.get(digest, 0.0) > self._seconds():
            return fail(TokenNotFound())
        loading = self._loading.get(digest)
        if loading is None:
            find = None if foreign is None else partial(foreign, secret)
            loading = self._loading[digest] = _Loading(digest, find)
            # The first who asks has to wait before the store answers, which it may do at once.
            waiter: Deferred[Principal] = Deferred()
            loading.waiting.append(waiter)
            self._ask(loading)
            return waiter
        waiter = Deferred()
        loading.waiting.append(waiter)
        return waiter

    def validate_token(self, secret: str) -> Deferred[str]:
        return self._usable(secret).addCallback(lambda principal: principal.project.id)

    def validate_token_with_tracking(self, secret: str) -> Deferred[str]:
        def spend(principal: Principal) -> Deferred[str] | str:
            assert self._quota is not None, "a directory without a quota tracks nothing"
            spending = self._quota.spend(principal)
            return principal.project.id if spending is None else spending.addCallback(lambda _: principal.project.id)

        return self._usable(secret).addCallback(spend)

    def is_project_active(self, project_id: str) -> Deferred[bool]:
        for entry in self._entries.values():
            project = entry.principal.project
            if project.id == project_id and self._seconds() <= entry.fresh_until:
                result: Deferred[bool] = Deferred()
                result.callback(project.is_active)
                return result
        return self._projects.get(project_id).addCallback(lambda project: project is not None and project.is_active)

    def watch(self, principal: Principal, revoked: Callable[[], None]) -> Callable[[], None]:
        """
        A principal that was revoked after it had been looked up and before this call is reported at once.
        """
        watch = _Watch(principal, revoked)
        entry = self._entries.get(bytes.fromhex(principal.token.token_hash))
        if entry is not None and entry.principal is not principal and _is_revoked(entry.principal):
            revoked()
            return partial(self._watches.discard, watch)
        self._watches.add(watch)
        return partial(self._watches.discard, watch)

    def look_through(self, pending: dict[Any, Principal], revoked: Callable[[Any, ProxyError], object]) -> None:
        self._tables.append((pending, revoked))

    def token_changed(self, token: Token) -> None:
        """
        A token was created or is different now. The exchanges of one that is not active end, and those
        that were begun with a secret which it no longer has.
        """
        self._distrust()
        for digest in self._digests(token):
            self._unknown.pop(digest, None)
            entry = self._entries.get(digest)
            # What two processes changed one after the other may be heard of the other way round.
            if entry is not None and entry.principal.token.version <= token.version:
                # A secret that is good no longer is remembered as such: one that looked it up before has yet to watch.
                seen = as_changed(token, entry.principal.token)
                self._put(digest, evolve(entry, principal=Principal(seen, entry.principal.project)))
        self._revoke(lambda principal: principal.token.id == token.id and not _is_good(token, principal.token))

    def _digests(self, token: Token) -> set[bytes]:
        """Those of the secrets that it has, and of those that it had and that are remembered."""
        hashes = (token.token_hash, token.previous_hash)
        found = {bytes.fromhex(each) for each in hashes if each is not None}
        if token.version > 1:
            found |= {digest for digest, entry in self._entries.items() if entry.principal.token.id == token.id}
        return found

    def project_changed(self, project: Project) -> None:
        """A project is different now; if it is not active, the exchanges of all its tokens end."""

        def changed(principal: Principal) -> Principal:
            return principal if principal.project.version > project.version else Principal(principal.token, project)

        self._replace(lambda principal: principal.project.id == project.id, changed)
        if not project.is_active:
            self._revoke(lambda principal: principal.project.id == project.id, ProjectDeactivated)

    def project_tokens_revoked(self, project_id: str) -> None:
        """Every token of a project was revoked."""
        self._end(lambda principal: principal.project.id == project_id)

    def person_revoked(self, person_id: str) -> None:
        """Every token of a person was revoked."""
        self._end(lambda principal: principal.token.person_id == person_id)

    def _end(self, concerns: Callable[[Principal], bool]) -> None:
        now = self._seconds()

        def revoked(principal: Principal) -> Principal:
            token = principal.token
            if not token.is_active:
                return principal
            return Principal(evolve(token, is_active=False, deactivated_at=now), principal.project)

        self._replace(concerns, revoked)
        self._revoke(concerns)

    def _put(self, digest: bytes, entry: _Entry) -> None:
        former = self._entries.get(digest)
        self._entries[digest] = entry
        if former is not None and _loses(former.principal, entry.principal):
            self.on_loss()

    def forget(self) -> None:
        """Ask the store again for everything."""
        self.on_loss()
        self._entries.clear()
        self._unknown.clear()
        self._distrust()

    def watched(self) -> tuple[set[str], set[str]]:
        """The ids of the tokens and of the projects of running exchanges."""
        principals = [watch.principal for watch in self._watches]
        principals += [principal for pending, _ in self._tables for principal in pending.values()]
        return {each.token.id for each in principals}, {each.project.id for each in principals}

    def _usable(self, secret: str) -> Deferred[Principal]:
        raw = secret.encode()
        principal = self.warm(raw)
        found: Deferred[Principal]
        if principal is None:
            found = self.load(raw)
        else:
            found = Deferred()
            found.callback(principal)

        def judge(principal: Principal) -> Principal:
            fault = fault_of(principal.token, principal.project, self._seconds())
            if fault is not None:
                raise fault
            return principal

        return found.addCallback(judge)

    def _replace(self, concerns: Callable[[Principal], bool], change: Callable[[Principal], Principal]) -> None:
        self._distrust()
        for digest, entry in self._entries.items():
            if concerns(entry.principal):
                self._put(digest, evolve(entry, principal=change(entry.principal)))

    def _distrust(self) -> None:
        for loading in self._loading.values():
            loading.stale = True

    def _revoke(self, concerns: Callable[[Principal], bool], error: type[ProxyError] = TokenRevoked) -> None:
        for watch in [watch for watch in self._watches if concerns(watch.principal)]:
            if watch in self._watches:
                self._watches.discard(watch)
                watch.revoked()
        for pending, revoked in self._tables:
            for key in [key for key, principal in pending.items() if concerns(principal)]:
                if key in pending:
                    revoked(key, error())

    def _ask(self, loading: _Loading) -> None:
        find = loading.find
        looking: Deferred[Token | None]
        looking = self._find_token(loading.digest.hex()) if find is None else Deferred.fromCoroutine(find())
        asking = looking.addCallback(self._with_project)
        asking.addCallbacks(self._loaded, self._not_loaded, callbackArgs=(loading,), errbackArgs=(loading,))

    def _with_project(self, token: Token | None) -> Deferred[Principal]:
        if token is None:
            raise TokenNotFound()
        found = token

        def complete(project: Project | None) -> Principal:
            if project is None:
                raise TokenNotFound()
            return Principal(found, project)

        find = self._find_project or self._projects.get
        return find(token.project_id).addCallback(complete)

    def _again(self, loading: _Loading) -> bool:
        if not loading.stale or loading.attempts >= _ATTEMPTS:
            return False
        loading.stale = False
        loading.attempts += 1
        self._ask(loading)
        return True

    def _loaded(self, principal: Principal, loading: _Loading) -> None:
        if self._again(loading):
            return
        del self._loading[loading.digest]
        if not loading.stale:
            self._remember(loading.digest, principal)
        self._answer(loading, principal)

    def _answer(self, loading: _Loading, principal: Principal) -> None:
        for waiter in loading.waiting:
            if not waiter.called:
                waiter.callback(principal)

    def _while_away(self, digest: bytes) -> Principal | None:
        """What was known of a token, while the store cannot say what is true now."""
        entry, now = self._entries.get(digest), self._seconds()
        if entry is None or now > entry.good_until:
            return None
        self._entries[digest] = evolve(entry, fresh_until=min(now + RETRY_AFTER, entry.good_until))
        return entry.principal

    def _not_loaded(self, reason: Failure, loading: _Loading) -> None:
        if self._again(loading):
            return
        del self._loading[loading.digest]
        # What a provider or its rules refuse was good until now, perhaps.
        is_over = reason.check(ClientError) is not None
        if is_over:
            if self._entries.pop(loading.digest, None) is not None:
                self.on_loss()
        if reason.check(TokenNotFound) and not loading.stale:
            self._remember_unknown(loading.digest)
        principal = None if loading.stale or is_over else self._while_away(loading.digest)
        if principal is not None:
            self._answer(loading, principal)
            return
        error = reason.value if isinstance(reason.value, ProxyError) else Unavailable("tokens cannot be looked up")
        for waiter in loading.waiting:
            if not waiter.called:
                waiter.errback(error)

    def _remember(self, digest: bytes, principal: Principal) -> None:
        fresh_until = self._seconds() + self._ttl
        self._put(digest, _Entry(principal, fresh_until, fresh_until + self._grace))
        self._entries.move_to_end(digest)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def _remember_unknown(self, digest: bytes) -> None:
        self._unknown[digest] = self._seconds() + self._negative_ttl
        self._unknown.move_to_end(digest)
        if len(self._unknown) > self._max_negative:
            self._unknown.popitem(last=False)


def _is_good(token: Token, held: Token) -> bool:
    return token.is_active and as_held(token, held.token_hash) is not None


def _loses(before: Principal, after: Principal) -> bool:
    """Whether something that is known of requests must not be used, nor kept, any more."""
    return (_is_revoked(after) and not _is_revoked(before)) or before.project.api_keys != after.project.api_keys


def _is_revoked(principal: Principal) -> bool:
    return not (principal.token.is_active and principal.project.is_active)
