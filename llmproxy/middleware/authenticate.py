"""Authentication: the principal of the secret that a client sent, and whether it may ask the API at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

from ..bodies import Tap, at_hand, is_answered
from ..composition import NO_KEYWORDS
from ..core.clientcredentials import check_brought, credentials_for
from ..core.credentials import is_keyless
from ..core.notable import Known, Section
from ..core.reasons import reason_of
from ..core.targets import QUERY
from ..core.tokens import fault_of, is_well_formed, secret_of
from ..errors import ApiKeyMissing, InvalidToken, MissingToken, ProxyError, TokenRevoked
from ..message import ApiResponse

if TYPE_CHECKING:
    from twisted.internet.interfaces import IConsumer, IReactorTime

    from ..interfaces import IDirectory, IRevocations, Responder
    from ..message import ApiRequest, Fields, Principal


_ROOTS = (b"/", b"")
"""Where coding agents ask, with C{HEAD} and before they send their credential, whether anybody is there at all."""


class Authenticate:
    """
    A known token costs no Deferred. A C{HEAD} of an API's root without a credential is a probe, which is answered: it
    is no attempt at anything, so that no audit record says so. An exchange whose token is revoked ends: with an answer
    while it waits for one, wherever it waits (its own upload, another's fetch, a connection, upstream's head), cut
    while its answer streams.

    @param clock: its C{seconds} are since the epoch.
    @param is_well_formed: whether a secret has the form of a token; one that has not is looked up nowhere.
    """

    def __init__(
        self,
        clock: IReactorTime,
        directory: IDirectory,
        revocations: IRevocations | None = None,
        is_well_formed: Callable[[bytes], bool] = is_well_formed,
    ) -> None:
        self._seconds = clock.seconds
        self._is_well_formed = is_well_formed
        self._directory = directory
        self._revocations = revocations
        self._pending: dict[Deferred[ApiResponse], Principal] = {}
        self._revoked: dict[Deferred[ApiResponse], ProxyError] = {}
        if revocations is not None:
            revocations.look_through(self._pending, self._revoke)

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        api = request.route.api
        fields = request.fields
        known = fields.known if type(fields) is Section else None
        if known is not None and (request.upgrade or QUERY in request.target):
            # Those are places too, and not in the fields.
            known = None
        secret: bytes | None = None if known is None else known.facts.get(api)
        if secret is None:
            secret = secret_of(
                fields,
                request.target,
                offers=request.upgrade != b"",
                key_fields=api.key_fields,
                query_keys=api.query_keys,
            )
            if not secret:
                if request.method == b"HEAD" and request.route.path in _ROOTS:
                    return succeed(ApiResponse(204, reason_of(204), [(b"Cache-Control", b"no-store")]))
                raise MissingToken("missing or invalid authorization header")
            if not self._is_well_formed(secret):
                raise InvalidToken("invalid token format")
            if known is not None:
                known.remember(api, secret, len(secret))
        principal = self._directory.warm(secret)
        if principal is not None:
            return self._admit(principal, request, inner)
        loading = self._directory.load(secret)
        if known is not None:
            loading.addErrback(_forgotten, known)
        return loading.addCallback(self._admit, request, inner)

    def is_known(self, request: ApiRequest) -> Deferred[bool]:
        """Whether a request has a token that may be used now; nothing else becomes of it."""
        secret = secret_of(request.fields, request.target, offers=request.upgrade != b"")
        if not secret or not self._is_well_formed(secret):
            return succeed(False)
        principal = self._directory.warm(secret)
        loading = self._directory.load(secret) if principal is None else succeed(principal)
        return loading.addCallbacks(self._may_be_used, _unknown)

    def principal_of(
        self, fields: Fields, target: bytes, *, key_fields: frozenset[bytes], query_keys: frozenset[bytes]
    ) -> Deferred[Principal]:
        """
        Who asks something that is no API's; fails, or raises, as L{respond} does. Places are those of L{secret_of}.
        """
        secret = self._secret(secret_of(fields, target, key_fields=key_fields, query_keys=query_keys))
        principal = self._directory.warm(secret)
        loading = self._directory.load(secret) if principal is None else succeed(principal)
        return loading.addCallback(self._usable)

    def _usable(self, principal: Principal) -> Principal:
        fault = fault_of(principal.token, principal.project, self._seconds())
        if fault is not None:
            raise fault
        return principal

    def _secret(self, secret: bytes) -> bytes:
        if not secret:
            raise MissingToken("missing or invalid authorization header")
        if not self._is_well_formed(secret):
            raise InvalidToken("invalid token format")
        return secret

    def _may_be_used(self, principal: Principal) -> bool:
        return fault_of(principal.token, principal.project, self._seconds()) is None

    def _admit(self, principal: Principal, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        record = request.record
        record.token_id = principal.token.id
        record.project_id = principal.project.id
        record.person_id = principal.token.person_id or ""
        fields = request.fields
        known = fields.known if type(fields) is Section else None
        fault = fault_of(principal.token, principal.project, self._seconds())
        if fault is not None:
            if known is not None:
                known.keeper.drop()
            raise fault
        if known is not None:
            known.keeper.keep()
        request.principal = principal
        api = request.route.api
        # Before anything is read, looked up or spent: nothing goes to an API without a key that was given for it.
        if api.name not in principal.project.api_keys or api.is_balanced:
            if is_keyless(api, principal.project):
                raise ApiKeyMissing(api.name)
            check_brought(api, principal.project, credentials_for(request))
        responding = inner(request)
        if self._revocations is None or (responding.called and is_answered(responding)):
            return responding
        self._pending[responding] = principal
        args = (responding,)
        return responding.addCallbacks(self._headed, self._failed, args, NO_KEYWORDS, args)

    def _revoke(self, responding: Deferred[ApiResponse], error: ProxyError) -> None:
        self._revoked[responding] = error
        responding.cancel()

    def _headed(self, response: ApiResponse, responding: Deferred[ApiResponse]) -> ApiResponse:
        principal = self._pending[responding]
        del self._pending[responding]
        if self._revoked:
            self._revoked.pop(responding, None)
        if response.body is not None and not at_hand(response.body):
            response.body = _Revocable(response, principal, self._revocations)
        return response

    def _failed(self, reason: Failure, responding: Deferred[ApiResponse]) -> Failure:
        del self._pending[responding]
        if responding not in self._revoked:
            return reason
        error = self._revoked.pop(responding)
        return Failure(error) if reason.check(CancelledError) else reason


def _forgotten(reason: Failure, known: Known) -> Failure:
    """Whatever is wrong with the token of a head."""
    known.keeper.drop()
    return reason


def _unknown(reason: Failure) -> bool:
    """Whatever is wrong with a token, or with the database that would know it."""
    reason.trap(ProxyError)
    return False


class _Revocable(Tap):
    """A body that ends with L{TokenRevoked} when its principal is revoked; watched only while it runs."""

    def __init__(self, response: ApiResponse, principal: Principal, revocations: IRevocations | None) -> None:
        assert response.body is not None
        super().__init__(response.body, None, self._over)
        self._principal = principal
        self._revocations = revocations
        self._forget: Callable[[], None] | None = None
        self._producing: Deferred[None] | None = None
        self._revoked = False

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        producing = super().startProducing(consumer)
        if not producing.called and self._revocations is not None:
            self._producing = producing
            self._forget = self._revocations.watch(self._principal, self._revoke)
            producing.addErrback(self._reason)
        return producing

    def _revoke(self) -> None:
        self._revoked = True
        if self._producing is not None:
            self._producing.cancel()

    def _reason(self, reason: Failure) -> Failure:
        return Failure(TokenRevoked()) if self._revoked and reason.check(CancelledError) else reason

    def _over(self, reason: Failure | None) -> None:
        forget, self._forget = self._forget, None
        self._producing = None
        if forget is not None:
            forget()
