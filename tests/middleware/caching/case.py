"""A cache in front of a responder that the test answers for."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ApiSettings, CacheSettings
from llmproxy.bodies import BytesBody
from llmproxy.cache.memory import MemoryStore
from llmproxy.core.caching.dates import format_date
from llmproxy.core.fields import first, values
from llmproxy.message import Api, ApiRequest, ApiResponse, Field, Principal, Project, Record, Token
from llmproxy.middleware.caching.cache import Cache
from llmproxy.middleware.recordexchanges import RecordExchanges
from llmproxy.sinks.metrics import ProxyMetrics

from ..fakes import FakeQuota, HeldBody, Inner, Reader, a_request, an_api

NOW = 1_700_000_000.0
FRESH = b"Cache-Control: public, max-age=60"
OPT_IN = b"Cache-Control: public, max-age=60"


def lines(*texts: bytes) -> list[Field]:
    """Fields as they are written: C{b"Name: value"}."""
    return [(name, value.strip()) for name, _, value in (text.partition(b":") for text in texts)]


def principal(project: str = "p-1", token: str = "t-1", key: str = "sk-upstream") -> Principal:
    return Principal(Token(token, "00" * 32, "sk-…", project, None), Project(project, project, {"openai": (key,)}))


class Answered:
    """A response as its client has it."""

    def __init__(self, response: ApiResponse) -> None:
        self.response = response
        self.status = response.status
        self.reader = Reader()
        self.ended: list[object] = []
        if response.body is not None:
            response.body.startProducing(self.reader).addBoth(self.ended.append)

    @property
    def body(self) -> bytes:
        return self.reader.data

    @property
    def whole(self) -> bool:
        return self.ended == [None]

    def field(self, name: bytes) -> bytes | None:
        return first(self.response.fields, name)

    @property
    def told(self) -> bytes:
        """The last member of C{Cache-Status}."""
        return values(self.response.fields, b"cache-status")[-1]


class CacheTestCase(SynchronousTestCase):
    """
    @ivar inner: what is further in; the oldest request is answered first.
    @ivar records: of what happened in the background.
    """

    settings = CacheSettings()
    limit = 1 << 20

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.store = MemoryStore(self.clock.seconds, self.limit)
        self.quota = FakeQuota()
        self.inner = Inner()
        self.records: list[Record] = []
        self.counts = {"store": 0}
        self.requests_made: list[Record] = []
        self.background = RecordExchanges(self.clock, self.records.append)
        self.cache = Cache(self.clock, self.store, self.quota, self.background, self.counts)
        self.api = self.an_api()

    def an_api(self, name: str = "openai", **changes: Any) -> Api:
        return an_api(name, settings=ApiSettings(cache=self.settings), **changes)

    def send(
        self,
        *fields: bytes,
        target: bytes = b"/v1/models",
        method: bytes = b"GET",
        body: Any = None,
        who: Principal | None = None,
        api: Api | None = None,
    ) -> Deferred[ApiResponse]:
        """A client asks."""
        content = BytesBody(body) if isinstance(body, bytes) else body
        caller = principal() if who is None else who
        request = a_request(method, target, lines(*fields), content, api=api or self.api, principal=caller)
        self.request = request
        self.requests_made.append(request.record)
        return self.cache.respond(request, self.inner)

    def outcomes(self, outcome: str) -> int:
        """How many requests the metrics count as hits, misses or bypasses."""
        metrics = ProxyMetrics()
        metrics.record_batch(self.requests_made)
        return metrics.cache[outcome]

    def post(self, *fields: bytes, body: Any = b'{"model":"m"}', **more: Any) -> Deferred[ApiResponse]:
        return self.send(*fields, target=b"/v1/chat/completions", method=b"POST", body=body, **more)

    def answer(self, *fields: bytes, status: int = 200, body: Any = b"content", until_close: bool = False) -> None:
        """Upstream answers the oldest request."""
        made = BytesBody(body) if isinstance(body, bytes) else body
        date = lines(b"Date: " + format_date(self.clock.seconds()))
        self.inner.answer(ApiResponse(status, b"", date + lines(*fields), made, until_close=until_close))

    def got(self, responding: Deferred[ApiResponse]) -> Answered:
        return Answered(self.successResultOf(responding))

    def fill(self, *fields: bytes, of: tuple[bytes, ...] = (), body: Any = b"content", **more: Any) -> None:
        """Have an answer stored."""
        responding = self.send(*of, **more)
        self.answer(*(fields or (FRESH,)), body=body)
        self.got(responding)

    def hit(self, *fields: bytes, **more: Any) -> Answered:
        """Ask for what is stored; nothing must reach upstream."""
        before = len(self.inner.requests)
        answered = self.got(self.send(*fields, **more))
        self.assertEqual(len(self.inner.requests), before)
        return answered

    def missed(self, *fields: bytes, **more: Any) -> bool:
        """Whether a request goes to upstream; it is answered with what nobody stores."""
        before = len(self.inner.requests)
        responding = self.send(*fields, **more)
        if len(self.inner.requests) == before:
            self.got(responding)
            return False
        self.answer(b"Cache-Control: no-store")
        self.got(responding)
        return True


__all__ = [
    "FRESH",
    "NOW",
    "OPT_IN",
    "Answered",
    "ApiRequest",
    "CacheTestCase",
    "HeldBody",
    "lines",
    "principal",
    "succeed",
]
