"""An application's own parts, each in a proxy that is whole but for its sockets."""

from __future__ import annotations

from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.ownparts import METHODS
from llmproxy.app.proxy import TransparentProxy
from llmproxy.app.settings import Settings
from llmproxy.cache.stats import CacheStatsAggregator
from llmproxy.composition import after, before
from llmproxy.config import APIConfig, CacheConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.errors import ConfigError
from llmproxy.interfaces import Responder
from llmproxy.message import ApiRequest, ApiResponse, Record
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.upstream.client import PooledClient

from ..cache.test_stats import FakeStatsStore
from ..store.databases import clock_at
from .embedded import SECRET, Body, Checker, Projects, Validator, a_config, a_request, an_upstream, embedded

CACHED = CacheConfig(True, scope="shared")
STORED = (200, {b"Cache-Control": b"public, max-age=60"}, b"stored")


class Marks:
    """A middleware that notes its name, on the way in and on the way out."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        self.seen.append(self.name)
        return inner(request).addCallback(self._out)

    def _out(self, response: ApiResponse) -> ApiResponse:
        self.seen.append(f"{self.name} {response.status}")
        return response


class Sink:
    def __init__(self) -> None:
        self.records: list[Record] = []

    def record_batch(self, records: Any) -> None:
        self.records += records


class Audit:
    def __init__(self) -> None:
        self.noted: list[tuple[str, str, str]] = []

    def log(self, action: str, actor: str, outcome: str, **details: object) -> None:
        self.noted.append((action, outcome, str(details["reason"])))


class Empty:
    def __repr__(self) -> str:
        return "<Empty>"


class NoPartTests(SynchronousTestCase):
    def test_methods(self) -> None:
        """What cannot be what it is given as is refused at once, under its name, with what it lacks."""
        for keyword, methods in {**METHODS, "record_sinks": ("record_batch",)}.items():
            for wrong, said in ((Empty(), f"<Empty> has no method {methods[0]}"), (Empty, "is a class")):
                with self.subTest(keyword=keyword, wrong=wrong):
                    given: dict[str, Any] = {keyword: [wrong] if keyword == "record_sinks" else wrong}
                    error = self.assertRaises(TypeError, embedded, clock_at(), **given)
                    self.assertIn(f"{keyword}: ", str(error))
                    self.assertIn(said, str(error))

    def test_each_method(self) -> None:
        """A validator that only validates could not count."""
        half = Validator()
        half.validate_token_with_tracking = None  # type: ignore[assignment,method-assign]
        error = self.assertRaises(TypeError, embedded, clock_at(), token_validator=half)
        self.assertIn("has no method validate_token_with_tracking", str(error))


class OwnPartsTests(SynchronousTestCase):
    def made(self, **given: Any) -> TransparentProxy:
        self.clock = clock_at()
        proxy = embedded(self.clock, **given)
        self.addCleanup(self.end, proxy)
        return proxy

    def end(self, proxy: TransparentProxy) -> None:
        """It stops at once, and leaves nothing that would run later."""
        self.successResultOf(proxy.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def ask(self, proxy: TransparentProxy, *request: Any) -> tuple[int, bytes]:
        response = self.successResultOf(proxy.respond(a_request(*request)))
        body = Body(response)
        self.successResultOf(body.ended)
        return response.status, body.read

    def test_alone(self) -> None:
        """One API, a validator and projects are enough: at C{/} and below its name, and nobody else gets in."""
        proxy = self.made()
        self.successResultOf(proxy.started)
        self.assertIsNone(proxy.stored)
        self.assertEqual(self.ask(proxy), (200, b"hello"))
        self.assertEqual(self.ask(proxy, b"/llm/v1/x"), (200, b"hello"))
        for secret in ("another", None, ""):
            self.assertEqual(self.ask(proxy, b"/v1/x", secret)[0], 401, secret)

    def test_validator(self) -> None:
        """It is asked for each request, and uses are spent with it, by what upstream is asked and by no hit."""
        validator = Validator(uses=1)
        proxy = self.made(token_validator=validator, config=a_config(cache=CACHED), upstream_client=an_upstream(STORED))
        found = [self.ask(proxy) for _ in range(2)]
        self.assertEqual(found, [(200, b"stored")] * 2)
        self.assertEqual(validator.asked, [("validate", SECRET), ("track", SECRET), ("validate", SECRET)])
        self.assertEqual(self.ask(proxy, b"/v1/other")[0], 429)

    def test_project_without_a_key(self) -> None:
        """No key is made up for a project of which nobody gave one."""
        self.assertEqual(self.ask(self.made(project_store=Projects(*_projects(api_keys={}))))[0], 403)

    def test_inactive_project(self) -> None:
        """Neither the store's no nor the checker's is overlooked."""
        self.assertEqual(self.ask(self.made(project_store=Projects(*_projects(is_active=False))))[0], 403)
        self.assertEqual(self.ask(self.made(project_active_checker=Checker(False)))[0], 403)
        self.assertEqual(self.ask(self.made(project_active_checker=Checker(True)))[0], 200)
        self.assertEqual(self.ask(self.made(project_active_checker=Checker(OSError("away"))))[0], 503)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_audit_logger(self) -> None:
        """It is told of those who were not let in."""
        audit = Audit()
        self.ask(self.made(audit_logger=audit), b"/v1/x", "another")
        self.ask(self.made(audit_logger=audit, project_active_checker=Checker(False)))
        noted = [("token.validate", "denied", "invalid_token"), ("proxy_request", "denied", "project_inactive")]
        self.assertEqual(audit.noted, noted)

    def test_middlewares(self) -> None:
        """Before is further out, after further in, in the order that is given, also beside a place that is empty."""
        seen: list[str] = []
        mark = lambda name: Marks(name, seen)  # noqa: E731
        placed = [
            after("cache", mark("c")),
            before("authenticate", mark("a"), mark("b")),
            after("cache", mark("d")),
            before("record", mark("first")),
            after("deadlines", mark("last")),
        ]
        self.ask(self.made(middlewares=placed))
        self.assertEqual(seen[:6], ["first", "a", "b", "c", "d", "last"])
        self.assertEqual(seen[6:], [f"{name} 200" for name in ("last", "d", "c", "b", "a", "first")])

    def test_refused_inside(self) -> None:
        """What a middleware within raises is answered as JSON, what stands outside sees the answer."""
        seen: list[str] = []
        proxy = self.made(middlewares=[before("errors", Marks("out", seen)), after("authenticate", Marks("in", seen))])
        self.assertEqual(self.ask(proxy, b"/v1/x", "another")[0], 401)
        self.assertEqual(seen, ["out", "out 401"])

    def test_no_such_place(self) -> None:
        """A place that the chain has not is named, with those that it has."""
        error = self.assertRaises(ConfigError, embedded, middlewares=[before("auth", Marks("x", []))])
        self.assertIn("'auth'; it has record, trace, navigations, cors, errors, ", str(error))

    def test_record_sinks(self) -> None:
        """Each gets a record of every exchange, without secrets; one that breaks hurts nobody."""

        class Broken:
            def record_batch(self, records: Any) -> None:
                raise OSError

        sink = Sink()
        proxy = self.made(record_sinks=[Broken(), sink])
        request = a_request()
        request.record.user_agent = "Bearer sk-canary-canary-canary-1"
        self.successResultOf(Body(self.successResultOf(proxy.respond(request))).ended)
        self.clock.advance(0.1)
        [record] = sink.records
        self.assertEqual((record.status, record.project_id, record.ended), (200, "p1", "complete"))
        self.assertNotIn("canary", record.user_agent)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_metrics(self) -> None:
        """They are counted in from the beginning, gauges included."""
        metrics = ProxyMetrics()
        self.ask(self.made(metrics=metrics))
        self.clock.advance(0.1)
        self.assertEqual((metrics.request_count, metrics.gauges["llmproxy_in_flight"][1]()), (1, 0))

    def test_hits(self) -> None:
        """Without a database hits are counted where the application does, or nowhere."""
        for given in (True, False):
            store = FakeStatsStore()
            proxy = self.made(config=a_config(cache=CACHED), upstream_client=an_upstream(STORED))
            if given:
                proxy.set_cache_stats_aggregator(CacheStatsAggregator(self.clock, store))
            for _ in range(3):
                self.ask(proxy)
            self.end(proxy)
            self.assertEqual(list(store.total().values()), [2] if given else [], given)

    def test_hits_from_the_beginning(self) -> None:
        """An aggregator that is given runs with the proxy, and writes what is left at the end."""
        store = FakeStatsStore()
        clock = clock_at()
        proxy = embedded(
            clock,
            a_config(cache=CACHED),
            upstream_client=an_upstream(STORED),
            cache_stats_aggregator=CacheStatsAggregator(clock, store),
        )
        for _ in range(2):
            self.ask(proxy)
        self.successResultOf(proxy.stopService())
        self.assertEqual((list(store.total().values()), clock.getDelayedCalls()), ([1], []))

    def test_logger(self) -> None:
        """What there is to say of upstreams is said there."""
        said: list[dict[str, Any]] = []
        logger = Logger(observer=said.append)  # type: ignore[arg-type]
        proxy = self.made(logger=logger, upstream_client=an_upstream())
        record = Record("id", "GET", "/v1/x", "", 0.0, api="llm", cause="refused", ended="upstream_failed")
        proxy.foundation.metering.publisher.publish(record)
        self.clock.advance(0.1)
        self.assertEqual([(each["log_level"], each["origin"]) for each in said], [(LogLevel.error, "http://192.0.2.9")])

    def test_after_the_end(self) -> None:
        """Under a site of the application's own requests may still come: they are refused, and leave nothing behind."""
        path = self.mktemp()
        proxy = self.made(access_log=path)
        self.end(proxy)
        for _ in range(2):
            self.assertEqual(self.ask(proxy)[0], 503)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        with open(path) as file:
            self.assertEqual(file.read(), "")

    def test_clients(self) -> None:
        """A client of the application's own is asked for every API, and stays open when the proxy has stopped."""

        class Agent:
            closed = False

        client = HTTPClient(Agent())  # type: ignore[arg-type]
        config = APIConfig({"a": a_config(), "b": a_config()}, "a")
        proxy = self.made(config=config, upstream_client=client)
        self.assertEqual(list(proxy.generations.current.clients.values()), [client, client])
        proxy = self.made(config=config, upstream_client=None)
        self.assertEqual({type(each) for each in proxy.generations.current.clients.values()}, {PooledClient})


class MissingPartsTests(SynchronousTestCase):
    def problems(self, **given: Any) -> list[str]:
        values: dict[str, Any] = {"token_validator": Validator(), "project_store": Projects()}
        error = self.assertRaises(ConfigError, TransparentProxy, clock_at(), a_config(), **{**values, **given})
        return [problem.partition(":")[0] for problem in error.problems]

    def test_without_a_database(self) -> None:
        """What needs one is refused when it is configured, all of it at once."""
        self.assertEqual(self.problems(token_validator=None), ["database_url"])
        self.assertEqual(self.problems(project_store=None), ["database_url"])
        given = {"management_token": "x" * 32, "audit": AuditOptions(file=None)}
        self.assertEqual(self.problems(token_validator=None, **given), ["database_url", "management_token", "audit"])

    def test_two_audit_logs(self) -> None:
        """Only one of them would be written."""
        given = {"audit": AuditOptions(file=None), "audit_logger": Audit(), "database_url": ":memory:"}
        self.assertEqual(self.problems(**given), ["audit"])

    def test_wrong_configuration(self) -> None:
        """A configuration made by hand is checked as one that was read."""
        for config in (a_config(base_url="nowhere"), a_config(allowed_methods=[])):
            self.assertRaises(ConfigError, TransparentProxy, clock_at(), config, database_url=":memory:")

    def test_names(self) -> None:
        """A word that is none is not swallowed; settings that are whole are not given twice."""
        self.assertRaises(TypeError, TransparentProxy, clock_at(), a_config(), databse_url="x")
        settings = Settings(a_config().alone())
        self.assertRaises(TypeError, TransparentProxy, clock_at(), settings, database_url=":memory:")


def _projects(**changes: Any) -> list[Any]:
    from attrs import evolve

    from .embedded import PROJECT

    return [evolve(PROJECT, **changes)]
