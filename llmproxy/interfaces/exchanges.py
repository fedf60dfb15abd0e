"""Interfaces of responders, middlewares, and what they ask on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ..errors import ProxyError
from ..message import ApiRequest, ApiResponse, Principal

Responder = Callable[[ApiRequest], "Deferred[ApiResponse]"]
"""
Answers a request. The Deferred fires at the response head, or fails with a
L{llmproxy.errors.ProxyError}; cancelling it, before the head, closes whatever is open upstream.
"""


class IMiddleware(Interface):
    """A filter around a responder: one concern, composed once at start-up by L{llmproxy.composition.chain}."""

    def respond(request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        """
        Answer C{request}, with or without the help of C{inner}.

        May raise a L{llmproxy.errors.ProxyError} instead of failing the Deferred. A response that
        is not passed on is stopped; a body that is wrapped passes on pause, resume and stop.
        """


class IUpstreamResponse(Interface):
    """What L{llmproxy.upstream.client.PooledClient.request} adds to L{twisted.web.iweb.IResponse}."""

    fields = Attribute("the header section in wire order, a list of pairs")
    trailers = Attribute("a list of pairs, filled in when the body has ended")
    body = Attribute("an IBodyProducer that nobody has started, or None where the message has no content")


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

    def give_back(principal: Principal) -> bool | None:
        """
        Return a use that was spent for a request which never reached upstream; true if it can be spent again without
        asking anybody.
        """


class IRevocations(Interface):
    """Tells running exchanges that their token or project has been revoked."""

    def watch(principal: Principal, revoked: Callable[[], None]) -> Callable[[], None]:
        """Have C{revoked} called once if it happens; returns what ends the watch."""

    def look_through(pending: dict[Any, Principal], revoked: Callable[[Any, ProxyError], object]) -> None:
        """
        From now on, look for revoked principals in a table too, and call C{revoked} with the keys of those found, each
        with what its client is answered: L{TokenRevoked} or L{ProjectDeactivated}.

        What is pending for a moment only is entered and taken out again at the cost of a dictionary; a revocation,
        which is rare, looks at all of it. Who is called takes the key out.
        """


class ITokenValidator(Interface):
    """The reference's validator, for those who embed parts of the proxy."""

    def validate_token(secret: str) -> Deferred[str]:
        """The project id of a usable token; spends nothing. Fails as L{IDirectory.load} and with the token's fault."""

    def validate_token_with_tracking(secret: str) -> Deferred[str]:
        """The same, and spends one use."""


class IProjectActiveChecker(Interface):
    """What knows which projects are active, for those who embed the proxy."""

    def is_project_active(project_id: str) -> Deferred[bool]:
        """Whether the project may use its tokens."""
