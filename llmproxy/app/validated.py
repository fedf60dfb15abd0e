"""Adapters that let an application's own token validator and projects stand in the place of the directory and quota."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import InvalidToken, ProxyError, TokenNotFound, Unavailable
from ..interfaces import IDirectory, IQuota
from ..message import Principal, Project, Token
from ..middleware.questions import asked

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
        asking: Deferred[Any] = _asked(self._log, self._validator.validate_token, text)
        return asking.addCallback(self._with_project, text)

    def _with_project(self, project_id: str, secret: str) -> Deferred[Principal]:
        return _asked(self._log, self._projects.get, project_id).addCallback(_principal, secret)


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
        spending = _asked(self._log, self._validator.validate_token_with_tracking, principal.secret)
        return spending.addCallback(lambda _: None)

    def check(self, principal: Principal) -> None:
        """The validator has just said that the token may be used."""

    def give_back(self, principal: Principal) -> None:
        """Not known to validators."""


def _principal(project: Project | None, secret: str) -> Principal:
    if project is None:
        raise TokenNotFound()
    digest = sha256(secret.encode()).hexdigest()
    return ValidatedPrincipal(Token(digest[:16], digest, "", project.id, None), project, secret)


def _asked(log: Logger, question: Callable[..., Any], about: Any) -> Deferred[Any]:
    """
    What an application answers. What it fails with is what the client gets: a L{ProxyError} as it is;
    everything else, a cancellation that is not the client's too, as L{Unavailable}.
    """

    def unanswered(reason: Failure) -> Failure:
        if reason.check(ProxyError):
            return reason
        log.failure("a token could not be validated", reason)
        return Failure(Unavailable("tokens cannot be validated now"))

    return asked(question, about, unanswered)


def _failing(error: ProxyError) -> Deferred[Any]:
    failed: Deferred[Any] = Deferred()
    failed.errback(error)
    return failed
