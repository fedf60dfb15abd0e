"""Authentication of calls to the management API."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.logger import Logger

from ...core.admintokens import fault_of, is_well_formed
from ...core.failures import Failures
from ...core.sessions import MANAGEMENT_TOKEN, is_bound, is_over, role_of, secret_hash
from ...core.sessions import is_well_formed as is_session
from ...core.tokens import is_jwt
from ...errors import ClientError, Forbidden, InvalidToken, Unauthorized
from ...message import Admin, Role
from ..clientaddress import client_of

if TYPE_CHECKING:
    from ...core.people.person import Person
    from ...interfaces import IAdminStore, ISessionStore

KnowsPeople = Callable[[bytes], Coroutine[Any, Any, "tuple[Person, float]"]]
"""Who an access token of an identity provider is of, and until when it is good; raises a L{ProxyError}."""

MANAGEMENT_ACTOR = "management_api"
"""What the audit log calls the holder of the management token, as the reference calls everybody."""

NOTED_EVERY = 60.0
"""Seconds; how exactly it is known when somebody was there last."""


class ManagementUnauthorized(Unauthorized):
    code, message = "unauthorized", "not authenticated"
    challenge = b'Bearer realm="llmproxy management"'


class SessionOver(ManagementUnauthorized):
    """Also: it was ended elsewhere, its admin was revoked, or the management token is another one."""

    code, message = "session_over", "the session has ended"


class TooManyFailures(ClientError):
    """A client that failed too often waits, whatever it shows: else a guess would be as good as any."""

    status, code, message = 429, "too_many_failures", "too many failed attempts"

    def __init__(self, seconds: float, client: str) -> None:
        wait = max(1, ceil(seconds))
        super().__init__(
            f"all who come from {client} have to wait {wait} s. A proxy in front belongs into trusted_proxies, "
            "so that its clients count separately; --manage-listen unix:/path stays open for clients on this machine",
            fields=((b"Retry-After", b"%d" % wait),),
        )


@frozen
class Actor:
    """
    Who makes a call.

    @ivar id: names them for good, and nobody else.
    @ivar name: what the audit log calls them.
    @ivar secret: what they showed.
    @ivar session: the id of their session, C{""} where they showed a token.
    """

    id: str
    name: str
    role: Role
    secret: bytes = field(repr=False)
    session: str = ""


class ManagementAuth:
    """
    Knows the management token, whose holder is an owner, the tokens of admins, and the sessions of both.

    Hashes are compared, the one that is kept here in constant time: neither the token nor its length shows
    in how long it takes. Admins are looked up at every call, so that one who is revoked is so everywhere at once.

    Where people sign in by an identity provider, its access tokens are taken too, of those who have a role.

    @param seconds: the time, since the epoch.
    @param people: whom an access token is of, and until when.
    """

    _log = Logger()

    def __init__(
        self,
        seconds: Callable[[], float],
        management_token: str,
        admins: IAdminStore,
        sessions: ISessionStore | None = None,
        people: KnowsPeople | None = None,
    ) -> None:
        if not management_token:
            raise ValueError("the management token is empty")
        self._seconds = seconds
        self.digest = sha256(management_token.encode()).digest()
        self._admins = admins
        self._sessions = sessions
        self._people = people
        self._failures = Failures()

    async def actor(self, request: Any) -> Actor:
        """
        Who makes a request.

        @raise ManagementUnauthorized: with the words of the reference.
        @raise TooManyFailures: too many requests from there were refused.
        """
        secret = _shown(request)
        if is_session(secret):
            # Nobody guesses one. A browser that still shows an old one is no attack, and who is signed in is not locked
            # out by what others try from the same address.
            return await self._signed_in(secret)
        client = client_of(request)
        wait = self._failures.wait(client, self._seconds())
        if wait:
            raise TooManyFailures(wait, client)
        try:
            return await self._known(secret.encode("latin-1"))
        except ManagementUnauthorized:
            self._failures.failed(client, self._seconds())
            raise

    def is_shut_out(self, request: Any) -> bool:
        """Whether this client is locked out from now on."""
        return self._failures.wait(client_of(request), self._seconds()) > 0

    async def _known(self, token: bytes) -> Actor:
        if not token:
            raise ManagementUnauthorized(message="missing or invalid Authorization header")
        digest = sha256(token)
        if hmac.compare_digest(digest.digest(), self.digest):
            return Actor(MANAGEMENT_TOKEN, MANAGEMENT_ACTOR, "owner", token)
        if self._people is not None and is_jwt(token):
            return await self._person(self._people, token)
        admin = None
        if is_well_formed(token.decode("latin-1")):
            admin = await self._admins.by_hash(digest.hexdigest())
        if admin is None:
            raise ManagementUnauthorized(message="invalid management token")
        return self._admitted(admin, token)

    async def _signed_in(self, secret: str) -> Actor:
        found = None if self._sessions is None else await self._sessions.by_hash(secret_hash(secret))
        if found is None or self._sessions is None:
            raise SessionOver()
        session, admin = found
        now = self._seconds()
        bound = session.admin_id != MANAGEMENT_TOKEN or is_bound(session, secret, self.digest)
        if not bound or is_over(session, admin, now):
            raise SessionOver()
        if now - session.seen_at >= NOTED_EVERY:
            noting = self._sessions.used(session.id)
            noting.addErrback(lambda reason: self._log.failure("the use of a session could not be noted", reason))
        name = MANAGEMENT_ACTOR if admin is None else admin.name
        return Actor(session.admin_id, name, role_of(admin), secret.encode(), session.id)

    @property
    def has_people(self) -> bool:
        """Whether people sign in by an identity provider: the management token is the door for emergencies then."""
        return self._people is not None

    async def _person(self, people: KnowsPeople, token: bytes) -> Actor:
        try:
            person, _ = await people(token)
        except InvalidToken as error:
            raise ManagementUnauthorized(error.description, message=error.message) from None
        if person.role is None:
            raise Forbidden("no rule of identity gives this person a role")
        return Actor(person.id, person.actor, person.role, token)

    def _admitted(self, admin: Admin, token: bytes) -> Actor:
        now = self._seconds()
        fault = fault_of(admin, now)
        if fault:
            raise ManagementUnauthorized(message=fault)
        if admin.last_used_at is None or now - admin.last_used_at >= NOTED_EVERY:
            noting = self._admins.used(admin.id)
            noting.addErrback(lambda reason: self._log.failure("the use of a token could not be noted", reason))
        return Actor(admin.id, admin.name, admin.role, token)


def _shown(request: Any) -> str:
    """The bearer token of a request, C{""} if there is none."""
    scheme, _, token = (request.getHeader(b"authorization") or b"").strip().partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""
