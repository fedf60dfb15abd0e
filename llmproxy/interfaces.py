"""What the parts of llmproxy require of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from .message import Admin, ApiRequest, ApiResponse, Begun, Page, Principal, Project, Record, Token

if TYPE_CHECKING:
    from .core.audit.chain import Linked
    from .core.audit.record import AuditRecord
    from .core.audit.search import AuditFilter
    from .core.caching.content import Content
    from .core.caching.entry import Entry, Found
    from .core.caching.key import Key

Responder = Callable[[ApiRequest], "Deferred[ApiResponse]"]
"""
Answers a request. The Deferred fires at the response head, or fails with a
L{llmproxy.errors.ProxyError}; cancelling it, before the head, closes whatever is open upstream.
"""


class IMiddleware(Interface):
    """A filter around a responder: one concern, composed once at start-up by L{llmproxy.chain.chain}."""

    def respond(request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        """
        Answer C{request}, with or without the help of C{inner}.

        May raise a L{llmproxy.errors.ProxyError} instead of failing the Deferred. A response that
        is not passed on is stopped; a body that is wrapped passes on pause, resume and stop.
        """


class IDirectory(Interface):
    """Who a token belongs to: warm answers from memory, cold ones from the store."""

    def warm(secret: bytes) -> Principal | None:
        """
        The principal of a token, if it is known without asking anyone.

        Expiry and activity are the caller's to judge (L{llmproxy.core.tokens}), so that a warm
        entry cannot outlive its own expiry.
        """

    def load(secret: bytes) -> Deferred[Principal]:
        """
        Ask the store, and keep the answer warm. Fails with L{llmproxy.errors.TokenNotFound}, or
        with L{llmproxy.errors.Unavailable} if the store cannot be asked. An unknown token
        is remembered too, for a short while and a bounded number of them.
        """


class IQuota(Interface):
    """Spends the uses of limited tokens; exact."""

    def spend(principal: Principal) -> Deferred[None] | None:
        """
        Take one use. C{None} means taken at once from what is leased (or not limited at all).
        The Deferred fails with L{llmproxy.errors.RateLimitExceeded} when nothing is left, or with
        L{llmproxy.errors.Unavailable}.
        """

    def check(principal: Principal) -> Deferred[None] | None:
        """
        Whether a use is left, without taking it: C{None} if it is known, or a Deferred that fires or fails as that
        of L{spend} does.
        """

    def give_back(principal: Principal) -> None:
        """Return a use that was spent for a request which never reached upstream."""


class IRevocations(Interface):
    """Tells running exchanges that their token or project has been revoked."""

    def watch(principal: Principal, revoked: Callable[[], None]) -> Callable[[], None]:
        """Have C{revoked} called once if it happens; returns what ends the watch."""


class ITokenStore(Interface):
    """Tokens at rest. Every method returns a Deferred; unknown ids give C{None}."""

    def create(token: Token) -> Deferred[None]:
        """Store a new token."""

    def by_hash(token_hash: str) -> Deferred[Token | None]:
        """
        The token whose secret has this SHA-256 (lower-case hexadecimal), as it is for who holds that
        secret; see L{llmproxy.core.tokens.as_held}.
        """

    def get(token_id: str) -> Deferred[Token | None]:
        """One token."""

    def list(project_id: str | None = None) -> Deferred[list[Token]]:
        """All of them, or one project's, newest first."""

    def page(
        limit: int,
        after: str | None = None,
        *,
        project_id: str | None = None,
        is_active: bool | None = None,
        expired: bool | None = None,
        name: str | None = None,
    ) -> Deferred[Page[Token]]:
        """
        At most C{limit} of them, newest first, by keyset: as cheap at the end of the list as at its beginning.

        A token that is created while somebody pages is seen or not, and moves no other.

        @param after: the C{after} of the page before.
        @param project_id: only those of one project.
        @param is_active: only active ones, or only revoked ones.
        @param expired: only those whose time is over, or only the others.
        @param name: only those with this in their name, in any case of ASCII letters.
        @raise ValueError: C{after} is not one that a page gave out, or C{limit} is below 1; at once.
        """

    def update(
        token_id: str,
        *,
        is_active: bool | None = None,
        max_requests: int | None = None,
        unlimited: bool = False,
        expires_at: float | None = None,
        name: str | None = None,
        metadata: str | None = None,
        version: int | None = None,
    ) -> Deferred[Token | None]:
        """
        Change what is given and only that (never the counters); returns the token as it is now.

        @param name: C{""} takes it away; likewise C{metadata}.
        @param version: the one that it must have, else it fails with L{llmproxy.errors.PreconditionFailed}.
        """

    def rotate(
        token_id: str,
        *,
        token_hash: str,
        hint: str,
        previous_until: float | None = None,
        expires_at: float | None = None,
        version: int | None = None,
    ) -> Deferred[Token | None]:
        """
        Give a token another secret. One that it had before the present one is forgotten.

        @param previous_until: how long the present secret stays good, seconds since the epoch; C{None} ends it.
        """

    def revoke_project(project_id: str) -> Deferred[tuple[int, int]]:
        """Revoke every token of a project, in one statement: how many were revoked, and how many there are."""


class IProjectStore(Interface):
    """Projects at rest; the upstream key is encrypted on its way in and decrypted on its way out."""

    def create(project: Project) -> Deferred[None]:
        """Store a new project; fails with L{llmproxy.store.projects.DuplicateName} if its name is taken."""

    def get(project_id: str) -> Deferred[Project | None]:
        """One project."""

    def list() -> Deferred[list[Project]]:
        """All of them, by name."""

    def page(
        limit: int, after: str | None = None, *, is_active: bool | None = None, name: str | None = None
    ) -> Deferred[Page[Project]]:
        """
        At most C{limit} of them, by name (as bytes of UTF-8), likewise by keyset; see L{ITokenStore.page}.

        @raise ValueError: likewise.
        """

    def update(
        project_id: str,
        *,
        name: str | None = None,
        api_key: str | None = None,
        is_active: bool | None = None,
        version: int | None = None,
    ) -> Deferred[Project | None]:
        """Change what is given and only that; C{deactivated_at} follows C{is_active}."""


class IAdminStore(Interface):
    """Those who may use the management API, at rest; unknown ids give C{None}."""

    def create(admin: Admin) -> Deferred[None]:
        """Store a new one; fails with L{llmproxy.errors.DuplicateAdmin} if one who is not revoked has this name."""

    def by_hash(token_hash: str) -> Deferred[Admin | None]:
        """Whose token has this SHA-256 (lower-case hexadecimal)."""

    def get(admin_id: str) -> Deferred[Admin | None]:
        """One of them."""

    def list() -> Deferred[list[Admin]]:
        """Those who were created last, a thousand at most, the newest first."""

    def revoke(admin_id: str) -> Deferred[Admin | None]:
        """End what one may do, and let his name be taken again; a second time changes nothing."""

    def used(admin_id: str) -> Deferred[None]:
        """Note that he has used his token just now."""


class IIdempotencyStore(Interface):
    """What calls with an C{Idempotency-Key} were answered, for as long as they may be repeated."""

    def begin(actor: str, key_hash: str, fingerprint: str, lifetime: float) -> Deferred[Begun | None]:
        """
        Note that a call is made.

        @param fingerprint: of what is asked.
        @param lifetime: seconds until it is forgotten.
        @return: C{None} if it is new, else what is noted of the one before.
        """

    def finish(actor: str, key_hash: str, status: int, answer: str) -> Deferred[None]:
        """Note what it was answered."""

    def forget(actor: str, key_hash: str) -> Deferred[None]:
        """Nothing was done: it may be made again."""


class ITokenValidator(Interface):
    """The reference's validator, for those who embed parts of the proxy."""

    def validate_token(secret: str) -> Deferred[str]:
        """The project id of a usable token; spends nothing. Fails as L{IDirectory.load} and with the token's fault."""

    def validate_token_with_tracking(secret: str) -> Deferred[str]:
        """The same, and spends one use."""


class IProjectActiveChecker(Interface):
    def is_project_active(project_id: str) -> Deferred[bool]:
        """Whether the project may use its tokens."""


class IRecordSink(Interface):
    """Wants every L{Record}."""

    def record_batch(records: Sequence[Record]) -> None:
        """
        Take note of C{records}, in the order in which their exchanges ended; called off the path of
        any request. Must not block. What it raises is reported and hurts no other sink.
        """


class IAuditLogger(Interface):
    """Writes who did what."""

    def log(action: str, actor: str, outcome: str, **details: object) -> None:
        """
        Note one event; must not block, and does not raise.

        @param action: C{project.create}, for example.
        @param actor: who did it.
        @param outcome: C{success}, C{failure}, C{denied} or C{error}.
        @param details: what L{llmproxy.core.audit.record.AuditRecord} has a field for becomes it (C{http_method} and
            C{endpoint} are C{method} and C{path}, C{error} is the reason where there is no other); no secrets.
        """


class IAuditSink(Interface):
    """Keeps audit records for good."""

    name = Attribute("what metrics and logs call it, a word")

    def write(records: Sequence[AuditRecord]) -> Deferred[None]:
        """
        Keep C{records}, in their order, before the Deferred fires.

        It is called again only when it has fired. After a failure it is called again with the same records first,
        and maybe more behind them; those that were kept all the same are not kept twice.
        """

    def close() -> Deferred[None]:
        """Let go of what is open; nothing is written any more."""


class IAuditTrail(Interface):
    """Audit records that can be asked for."""

    def page(limit: int, after: str | None, wanted: AuditFilter) -> Deferred[Page[Linked]]:
        """
        At most C{limit} of them, the latest first, by keyset; see L{ITokenStore.page}.

        @raise ValueError: C{after} is not one that a page gave out, or C{limit} is below 1; at once.
        """

    def rows(offset: int, limit: int, wanted: AuditFilter) -> Deferred[list[Linked]]:
        """The same by their number, from 0: what is far behind costs more."""

    def count(wanted: AuditFilter) -> Deferred[int]:
        """How many there are."""

    def get(record_id: str) -> Deferred[Linked | None]:
        """One of them."""


class IHealthCheck(Interface):
    """One dependency that C{/ready} asks about."""

    name = Attribute("what C{/ready} calls it")

    def check() -> Deferred[None]:
        """Fire if it works; fail with a reason that may be shown to operators."""


class IUpstreamResponse(Interface):
    """What L{llmproxy.upstream.client.PooledClient.request} adds to L{twisted.web.iweb.IResponse}."""

    fields = Attribute("the header section in wire order, a list of pairs")
    trailers = Attribute("a list of pairs, filled in when the body has ended")
    body = Attribute("an IBodyProducer that nobody has started, or None where the message has no content")


Select = Callable[[tuple[bytes, ...]], bytes]
"""Names a variant: from the field names that C{Vary} lists to a secondary key of at most 16 bytes."""


class ICacheStore(Interface):
    """
    Stored responses, by primary key, and below it by variant.

    One list of names tells the variants of a primary key apart: the union of what C{Vary} listed in what
    was stored. When it grows, the variants that were stored by the shorter one are let go.

    A store is a help, never a condition: no Deferred of it fails but that of C{purge}, and C{lookup} fires within a
    twentieth of a second, with C{None} if need be. What it holds is bounded. Each method may be called at any time.
    """

    largest: int = Attribute("bytes of the largest body that it takes")

    def start() -> None:
        """Begin: connect, if there is anything to connect to. Nobody waits for it."""

    def stop() -> Deferred[None]:
        """
        Tell what is still to be told, within a lookup's time, and let go of connections and timers. Nothing is
        found any more.
        """

    def found(key: Key, select: Select) -> Found | None:
        """
        What L{lookup} would fire with, if it is known here and now; C{None} says nothing, and C{lookup} has to be
        asked.
        """

    def lookup(key: Key, select: Select) -> Deferred[Found | None]:
        """What is stored, fresh or not; C{None} if nothing is."""

    def put(
        key: Key,
        names: tuple[bytes, ...],
        select: Select,
        entry: Entry,
        body: Content,
        seconds: float,
        since: bytes | None = None,
    ) -> Deferred[bool]:
        """
        Store a response for C{seconds} at most, whether it was there or not.

        @param since: what L{expect} said as its request left: what others who share the store removed or purged after
            that is not stored. What this process removes is for the caller to know.
        @return: whether it was stored.
        """

    def heads(key: Key) -> Deferred[list[tuple[bytes, Entry]]]:
        """All variants, without their content."""

    def replace_head(key: Key, found: Found, entry: Entry, seconds: float) -> Deferred[None]:
        """Keep the content that was found under another head; nothing happens if it is gone, or replaced by now."""

    def remove(key: Key) -> Deferred[int]:
        """Let go of all variants of one primary key; how many keys went, 0 or 1."""

    def purge(api: str | None, tenant: str | None, start: bytes = b"") -> Deferred[int]:
        """
        Let go of the keys whose C{member} begins with C{start}; how many there were.

        Fails with L{llmproxy.errors.Unavailable} if it cannot be done now: who purges has to know.

        @param api: C{None} for all of them; likewise C{tenant}.
        """

    def forget(api: str | None, tenant: str | None, start: bytes = b"") -> int:
        """
        The same for what this process alone holds: another one has purged what is shared. How many keys went for
        good.
        """

    def count() -> Deferred[int | None]:
        """How many primary keys there are, of all who share the store; C{None} if that cannot be told now."""

    def may_hold(target: bytes | None) -> bool:
        """
        Whether an answer to GET of this target, or of any, may be stored, for whatever API and tenant. It costs next
        to nothing; C{False} only if there is certainly none, nor one that L{expect} was told of.
        """

    def expect(key: Key) -> bytes | None:
        """
        A request leaves for upstream, and what it brings may be stored: until L{settle} is called as often,
        L{may_hold} knows.

        @return: what L{put} is told.
        """

    def settle(key: Key) -> None:
        """What was expected is stored, or never will be."""

    def statistics() -> dict[str, float]:
        """
        What it holds and what it did, in this process: C{entries}, C{bytes}, C{evictions}, C{errors} and
        what else there is to know of its kind.
        """


class ICacheStatsStore(Interface):
    """Where hits are counted for good."""

    def increment_cache_hit_count_batch(counts: dict[str, int]) -> Deferred[None]:
        """Add to the counts of tokens, by their id, all of them or none; unknown ids are ignored."""
