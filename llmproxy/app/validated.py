"""Adapters that let an application's own token validator and projects stand in the place of the directory and quota."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import InvalidToken, ProxyError, TokenNotFound, Unavailable
from ..interfaces import IDirectory, IQuota
from ..message import Principal, Project, Token

if TYPE_CHECKING:
    from ..interfaces import IProjectStore, ITokenValidator


@frozen(eq=False)
class ValidatedPrincipal(Principal):
    """
    @ivar secret: what the validator is asked with when a use is spent.
    """

    secret: str = field(repr=False)


@implementer(IDirectory)
class ValidatingDirectory:
    """
    Asks a validator at every request, so that what it no longer accepts is refused at the next one; whether it keeps
    its answers is its own to decide. What it fails with is the answer, if it is a L{ProxyError}; else it is logged, and
    the answer is 503.
    """

    _log = Logger()

    def __init__(self, validator: ITokenValidator, projects: IProjectStore) -> None:
        self._validator = validator
        self._projects = projects

    def warm(self, secret: bytes) -> None:
        """Nothing is known without asking."""

    def load(self, secret: bytes) -> Deferred[Principal]:
        try:
            text = secret.decode("utf-8")
        except UnicodeDecodeError:
            text = ""
        if not text:
            return _failing(InvalidToken("invalid token format"))
        asking: Deferred[Any] = maybeDeferred(self._validator.validate_token, text)
        asking.addCallback(self._with_project, text)
        return asking.addErrback(self._failed)

    async def _found(self, project_id: str, secret: str) -> Principal:
        project: Project | None = await maybeDeferred(self._projects.get, project_id)
        if project is None:
            raise TokenNotFound()
        digest = sha256(secret.encode()).hexdigest()
        return ValidatedPrincipal(Token(digest[:16], digest, "", project.id, None), project, secret)

    def _with_project(self, project_id: str, secret: str) -> Deferred[Principal]:
        return Deferred.fromCoroutine(self._found(project_id, secret))

    def _failed(self, reason: Failure) -> Failure:
        return translated(reason, self._log)


@implementer(IQuota)
class ValidatingQuota:
    """
    Spends uses at the validator. What it has spent it keeps: there is no way to return a use to it.
    """

    _log = Logger()

    def __init__(self, validator: ITokenValidator) -> None:
        self._validator = validator

    def spend(self, principal: Principal) -> Deferred[None]:
        assert isinstance(principal, ValidatedPrincipal)
        spending: Deferred[Any] = maybeDeferred(self._validator.validate_token_with_tracking, principal.secret)
        return spending.addCallbacks(lambda _: None, lambda reason: translated(reason, self._log))

    def check(self, principal: Principal) -> None:
        """The validator has just said that the token may be used."""

    def give_back(self, principal: Principal) -> None:
        """Not known to validators."""


def translated(reason: Failure, log: Logger) -> Failure:
    """What a validator or a store failed with as what the client is answered."""
    if reason.check(ProxyError, CancelledError):
        return reason
    log.failure("a token could not be validated", reason)
    return Failure(Unavailable("tokens cannot be validated now"))


def _failing(error: ProxyError) -> Deferred[Any]:
    failed: Deferred[Any] = Deferred()
    failed.errback(error)
    return failed
