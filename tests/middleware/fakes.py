"""What middlewares stand between: requests, a responder that the test answers for, and the services they ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from llmproxy.core.policy import Policy
from llmproxy.errors import ProxyError, TokenRevoked
from llmproxy.interfaces import IDirectory, IQuota, IRevocations
from llmproxy.message import (
    Api,
    ApiRequest,
    ApiResponse,
    Field,
    Principal,
    Project,
    Record,
    Route,
    Token,
)
from llmproxy.origin import Origin, Timeouts, Upstream
from llmproxy.providers.registry import PLACES

SECRET = b"sk-AAAAAAAAAAAAAAAAAAAAAA"
KEY = "sk-the-projects-own-key"
PRINCIPAL = Principal(Token("t-1", "00" * 32, "sk-AAAA…", "p-1", 1000.0), Project("p-1", "one", {"openai": (KEY,)}))


_OF_UPSTREAM = {"origin", "path_prefix", "credential", "own_key", "provider"}


def an_upstream(**changes: Any) -> Upstream:
    values: dict[str, Any] = {"origin": Origin("https", "api.example", 443, b"api.example")}
    return Upstream(**{**values, **changes})


def an_api(name: str = "openai", policy: dict[str, Any] | None = None, **changes: Any) -> Api:
    at = {name: changes.pop(name) for name in _OF_UPSTREAM & changes.keys()}
    values: dict[str, Any] = {
        "name": name,
        "upstreams": (an_upstream(**at),),
        "dialect": "proxy",
        "timeouts": Timeouts(),
        "policy": Policy.compile(
            **{"allowed_methods": [], "allowed_endpoints": [], "places": PLACES, **(policy or {})}
        ),
    }
    return Api(**{**values, **changes})


def a_request(
    method: bytes = b"POST",
    target: bytes = b"/v1/chat/completions",
    fields: list[Field] | None = None,
    body: Any = None,
    *,
    api: Api | None = None,
    principal: Principal | None = None,
) -> ApiRequest:
    """A request; with C{api} or C{principal} as it is after C{route}, C{authenticate} and C{attempts}."""
    record = Record("r-1", method.decode(), target.decode("latin-1"), "192.0.2.7", 0.0)
    request = ApiRequest(method, target, [] if fields is None else fields, body, record)
    if api is not None:
        path = target.partition(b"?")[0]
        request.route = Route(api, target, path, api.policy.endpoint(path) or "")
        request.upstream = api.upstreams[0]
        request.key = ""
    if principal is not None:
        request.principal = principal
        request.key = principal.project.api_keys.get(request.route.api.name, ("",))[0] if api is not None else ""
    return request


def a_response(status: int = 200, body: Any = None, fields: list[Field] | None = None) -> ApiResponse:
    return ApiResponse(status, b"", [(b"Content-Type", b"text/plain")] if fields is None else fields, body)


class Inner:
    """
    The responder further in, held by the test.

    @ivar requests: what reached it.
    @ivar cancelled: how often it was told to stop before it had answered.
    @ivar on_cancel: what it fails with then, if not as it is usual.
    """

    def __init__(self) -> None:
        self.requests: list[ApiRequest] = []
        self.pending: list[Deferred[ApiResponse]] = []
        self.cancelled = 0
        self.on_cancel: Exception | None = None

    def __call__(self, request: ApiRequest) -> Deferred[ApiResponse]:
        self.requests.append(request)
        responding: Deferred[ApiResponse] = Deferred(self._cancelled)
        self.pending.append(responding)
        return responding

    def _cancelled(self, responding: Deferred[ApiResponse]) -> None:
        self.cancelled += 1
        if self.on_cancel is not None:
            responding.errback(self.on_cancel)

    def answer(self, response: ApiResponse) -> None:
        self.pending.pop(0).callback(response)

    def fail(self, error: Exception) -> None:
        self.pending.pop(0).errback(error)


def answering(response: ApiResponse) -> Callable[[ApiRequest], Deferred[ApiResponse]]:
    return lambda request: succeed(response)


@implementer(IBodyProducer)
class HeldBody:
    """
    A body that the test lets out; it complains about being read twice or after its end.

    @ivar calls: what was done to it.
    """

    def __init__(self, length: Any = UNKNOWN_LENGTH) -> None:
        self.length = length
        self.calls: list[str] = []
        self.consumer: Any = None
        self.done: Deferred[None] = Deferred(lambda _: self.calls.append("cancelled"))

    def startProducing(self, consumer: Any) -> Deferred[None]:
        assert self.consumer is None, "a body can be read once"
        self.consumer = consumer
        return self.done

    def write(self, data: bytes) -> None:
        assert not self.done.called, "written after the end"
        self.consumer.write(data)

    def end(self) -> None:
        self.done.callback(None)

    def fail(self, error: Exception) -> None:
        self.done.errback(Failure(error))

    def pauseProducing(self) -> None:
        self.calls.append("paused")

    def resumeProducing(self) -> None:
        self.calls.append("resumed")

    def stopProducing(self) -> None:
        self.calls.append("stopped")


class Reader:
    """Who reads a body: the relay, or upstream."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


@implementer(IDirectory)
class FakeDirectory:
    """
    @ivar known: what is warm.
    @ivar loads: the secrets that the store was asked for, each with the Deferred that the test fires.
    """

    def __init__(self, known: dict[bytes, Principal] | None = None) -> None:
        self.known = {} if known is None else known
        self.loads: list[tuple[bytes, Deferred[Principal]]] = []

    def warm(self, secret: bytes) -> Principal | None:
        assert isinstance(secret, bytes)
        return self.known.get(secret)

    def load(self, secret: bytes) -> Deferred[Principal]:
        assert secret not in self.known, "a warm token was loaded"
        loading: Deferred[Principal] = Deferred()
        self.loads.append((secret, loading))
        return loading


@implementer(IQuota)
class FakeQuota:
    """
    @ivar spending: what C{spend} answers with next, C{None} for at once.
    @ivar checking: the same of C{check}.
    @ivar balance: uses spent and not given back.
    """

    def __init__(self) -> None:
        self.spending: Deferred[None] | None = None
        self.checking: Deferred[None] | None = None
        self.balance = 0

    def spend(self, principal: Principal) -> Deferred[None] | None:
        assert isinstance(principal, Principal)
        if self.spending is None:
            self.balance += 1
            return None
        return self.spending.addCallback(self._taken)

    def _taken(self, _: None) -> None:
        self.balance += 1

    def check(self, principal: Principal) -> Deferred[None] | None:
        assert isinstance(principal, Principal)
        return self.checking

    def give_back(self, principal: Principal) -> None:
        assert self.balance > 0, "given back without being spent"
        self.balance -= 1


@implementer(IRevocations)
class FakeRevocations:
    """
    @ivar watches: who is watched now.
    @ivar pending: what is looked through.
    """

    def __init__(self) -> None:
        self.watches: list[Callable[[], None]] = []
        self.pending: dict[Any, Principal] = {}
        self._revoked: Callable[[Any, ProxyError], object] = lambda key, error: None

    def look_through(self, pending: dict[Any, Principal], revoked: Callable[[Any, ProxyError], object]) -> None:
        self.pending, self._revoked = pending, revoked

    def watch(self, principal: Principal, revoked: Callable[[], None]) -> Callable[[], None]:
        self.watches.append(revoked)

        def forget() -> None:
            assert revoked in self.watches, "ended twice"
            self.watches.remove(revoked)

        return forget

    def revoke(self, error: type[ProxyError] = TokenRevoked) -> None:
        for revoked in list(self.watches):
            revoked()
        for key in list(self.pending):
            self._revoked(key, error())
