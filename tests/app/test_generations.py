"""Generations: several configurations, one after the other, while exchanges run."""

from __future__ import annotations

from typing import Any
from weakref import ref

from attrs import evolve
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app import generation
from llmproxy.app.proxy import TransparentProxy
from llmproxy.app.standardchain import standard_chain
from llmproxy.cache.memory import MemoryStore
from llmproxy.config import APIConfig, APIProviderConfig, BreakerConfig, CacheConfig, CaptureConfig, ProxyConfig
from llmproxy.config.sinks import SinkConfig
from llmproxy.config.upstreams import HealthConfig, RetryConfig, UpstreamConfig
from llmproxy.errors import ConfigError, Draining
from llmproxy.message import ApiResponse

from ..garbage import Garbage
from ..harness import Socket
from ..tables import row
from .embedded import Body, a_config, a_request, embedded

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FAILED = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
STORED = b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 2\r\n\r\nok"


def answered(asking: Deferred[ApiResponse]) -> list[int]:
    """The status, if there is one yet."""
    found: list[int] = []

    def keep(response: ApiResponse) -> ApiResponse:
        found.append(response.status)
        return response

    asking.addCallback(keep)
    return found


class GenerationsTests(SynchronousTestCase):
    """Upstream is the test: every connection to it is one of C{self.upstream}."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.advance(1_700_000_000)
        self.upstream: list[Socket] = []
        self.hosts: list[str] = []
        self.reactor.connectTCP = self.connect

    def connect(self, host: str, port: int, factory: Any, *_: Any, **__: Any) -> Any:
        protocol = factory.buildProtocol(IPv4Address("TCP", host, port))
        self.upstream.append(Socket(protocol, host))
        self.hosts.append(host)
        return self

    def proxy(self, config: ProxyConfig | APIConfig, **given: Any) -> TransparentProxy:
        proxy = embedded(self.reactor, config, upstream_client=None, **given)
        self.addCleanup(self.end, proxy)
        return proxy

    def end(self, proxy: TransparentProxy) -> None:
        proxy.ending.end_drain()
        stopping = proxy.stopService()
        self.reactor.advance(2)
        self.successResultOf(stopping)
        self.assertEqual([call for call in self.reactor.getDelayedCalls() if call.active()], [])
        self.assertEqual({each.state for each in self.upstream} - {"closed", "aborted"}, set())

    def asked(self, proxy: TransparentProxy, path: bytes = b"/v1/x") -> Deferred[ApiResponse]:
        asking = proxy.respond(a_request(path))
        self.reactor.advance(0)
        return asking

    def test_two_at_once(self) -> None:
        """
        A stream goes on to its end where it began, and what is new goes where the new configuration says; then the
        connections of the old one are closed.
        """
        proxy = self.proxy(a_config())
        asking = self.asked(proxy)
        self.upstream[0].receive(HEAD + b"1\r\na\r\n")
        stream = Body(self.successResultOf(asking))
        ended = proxy.swap(a_config(base_url="http://192.0.2.10"))
        second = self.asked(proxy)
        self.assertEqual(self.hosts, ["192.0.2.9", "192.0.2.10"])
        self.upstream[1].receive(WHOLE)
        self.assertEqual(Body(self.successResultOf(second)).read, b"ok")
        self.assertNoResult(ended)
        self.assertEqual((proxy.generations.in_flight, proxy.metrics().gauges["llmproxy_in_flight"][1]()), (1, 1))
        self.upstream[0].receive(b"1\r\nb\r\n0\r\n\r\n")
        self.assertEqual(stream.read, b"ab")
        self.reactor.advance(1)
        self.successResultOf(ended)
        self.assertEqual([each.state for each in self.upstream], ["closed", "open"])
        self.assertEqual((proxy.generations.living, proxy.metrics().request_count), ([proxy.generations.current], 2))

    def test_nothing_runs(self) -> None:
        """One that has nothing to do ends at once, kept connections and all."""
        proxy = self.proxy(a_config())
        asking = self.asked(proxy)
        self.upstream[0].receive(WHOLE)
        Body(self.successResultOf(asking))
        ended = proxy.swap(a_config(allowed_endpoints=["/v2"]))
        self.reactor.advance(1)
        self.successResultOf(ended)
        self.assertNotEqual(self.upstream[0].state, "open")
        self.assertEqual(self.successResultOf(proxy.respond(a_request())).status, 404)

    def test_forgets(self) -> None:
        """What is remembered of requests does not outlive a configuration, nor is it forgotten when none is taken."""
        proxy = self.proxy(a_config())
        told: list[None] = []
        proxy.foundation.forgetting.append(lambda: told.append(None))
        proxy.swap(a_config(allowed_endpoints=["/v2"]))
        self.assertEqual(told, [None])
        self.assertRaises(ConfigError, proxy.swap, a_config(base_url=""))
        self.assertEqual(told, [None])

    def test_several(self) -> None:
        """However often it is swapped, each drains by itself; the shutdown cuts all of them."""
        proxy = self.proxy(a_config())
        streams, swaps = [], []
        for number in range(3):
            asking = self.asked(proxy)
            self.upstream[number].receive(HEAD)
            streams.append(Body(self.successResultOf(asking)))
            swaps.append(proxy.swap(a_config()))
        self.upstream[1].receive(b"0\r\n\r\n")
        self.reactor.advance(1)
        self.assertEqual([each.called for each in swaps], [False, True, False])
        proxy.ending.end_drain()
        stopping = proxy.stopService()
        self.reactor.advance(2)
        self.successResultOf(stopping)
        self.assertEqual([each.called for each in swaps], [True, True, True])
        self.assertRaises(Draining, proxy.swap, a_config())
        for stream in streams:
            stream.ended.addErrback(lambda _: None)

    def test_checked(self) -> None:
        """Upstreams are checked while the service runs, by the present generation alone; what it knows goes over."""
        health = HealthConfig("/health", interval=5.0)
        upstreams = [
            UpstreamConfig("one", "http://192.0.2.1", health=health),
            UpstreamConfig("two", "http://192.0.2.2"),
        ]
        config = a_config(base_url="", upstreams=upstreams)
        proxy = self.proxy(config)
        self.reactor.advance(0)
        self.assertEqual(self.hosts, ["192.0.2.1"])
        self.upstream[0].receive(b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual([each.health for each in proxy.metrics().upstreams()], ["unwell", "well"])
        proxy.swap(config)
        self.reactor.advance(0)
        self.assertEqual([each.health for each in proxy.metrics().upstreams()], ["unwell", "well"])
        asked = len(self.hosts)
        self.reactor.advance(20)
        self.assertLessEqual(len(self.hosts), asked + 1)
        proxy.swap(a_config(base_url="", upstreams=[evolve(each, health=None) for each in upstreams]))
        self.assertEqual([each.health for each in proxy.metrics().upstreams()], ["well", "well"])

    def test_drained(self) -> None:
        """Nothing new goes to an upstream that is drained, in the next generation either, until it is undrained."""
        upstreams = [UpstreamConfig(name, f"http://192.0.2.{at}") for at, name in enumerate(("one", "two"), 1)]
        config = a_config(base_url="", upstreams=upstreams)
        proxy = self.proxy(config)
        current = proxy.generations.current
        current.set_drained("llm", "one", True)
        current.set_drained("llm", "nothing", True)
        self.assertEqual([each.health for each in proxy.metrics().upstreams()], ["drained", "well"])
        proxy.swap(config)
        for _ in range(4):
            self.asked(proxy)
            self.upstream[-1].receive(WHOLE)
        self.assertEqual(set(self.hosts), {"192.0.2.2"})
        proxy.generations.current.set_drained("llm", "one", False)
        one, two = proxy.metrics().upstreams()
        self.assertEqual((one.health, one.requests, two.requests), ("well", 0, 4))

    def test_wrong(self) -> None:
        """A configuration that cannot be used changes nothing."""
        proxy = self.proxy(a_config())
        before = proxy.generations.current
        for wrong in (a_config(base_url="ftp://x"), APIConfig({}, "x"), a_config(allowed_methods=[])):
            with row(wrong):
                self.assertRaises(ConfigError, proxy.swap, wrong)
        self.assertIs(proxy.generations.current, before)

    def test_cache_of_one_that_failed(self) -> None:
        """A store that was made for a configuration which then could not be used is started with the next one."""
        started: list[Any] = []
        proxy = self.proxy(a_config())
        self.patch(MemoryStore, "start", lambda store: started.append(store))
        cached = a_config(cache=CacheConfig(True))
        self.patch(generation, "standard_chain", lambda *_, cache, **__: self.fail("cannot be made"))
        self.assertRaises(self.failureException, proxy.swap, cached)
        self.assertEqual(started, [])
        self.patch(generation, "standard_chain", standard_chain)
        for _ in range(2):
            proxy.swap(cached)
        self.assertEqual(len(started), 1)

    def test_what_goes_on(self) -> None:
        """The cache, the counters and the validator are those of before."""
        config = a_config(cache=CacheConfig(True, scope="shared"))
        proxy = self.proxy(config)
        asking = self.asked(proxy)
        self.upstream[0].receive(STORED)
        Body(self.successResultOf(asking))
        proxy.swap(evolve(config, debug_headers=True))
        self.reactor.advance(1)
        answer = self.successResultOf(self.asked(proxy))
        self.assertEqual((Body(answer).read, len(self.upstream)), (b"ok", 1))
        counted = proxy.metrics()
        self.assertEqual((counted.request_count, counted.cache["hit"], counted.cache["store"]), (2, 1, 1))

    def test_cached_from_now_on(self) -> None:
        """Where the first configuration cached nothing, one that does gets a cache, which is counted and stopped."""
        proxy = self.proxy(a_config())
        self.assertIsNone(proxy.foundation.cache)
        proxy.swap(a_config(cache=CacheConfig(True, scope="shared", max_object=100 << 20)))
        cache = proxy.foundation.cache
        assert cache is not None
        self.assertEqual(cache.budget.left, min(100 << 20, cache.store.largest))
        self.assertIn("llmproxy_cache_entries", proxy.metrics().gauges)

    def test_breaker(self) -> None:
        """
        An open circuit stays open where nothing changed for its upstream; one that was moved, or has other limits,
        begins anew.
        """
        config = a_config(breaker=BreakerConfig(threshold=1, statuses=[503]))
        for changes, opened in (
            ({"debug_headers": True}, True),
            ({"base_url": "http://192.0.2.10"}, False),
            ({"breaker": BreakerConfig(threshold=2, statuses=[503])}, False),
        ):
            proxy = self.proxy(config)
            asking = self.asked(proxy)
            self.upstream[-1].receive(FAILED)
            Body(self.successResultOf(asking))
            self.assertEqual(self.successResultOf(self.asked(proxy)).status, 503, (changes, opened))
            proxy.swap(evolve(config, **changes))
            asking = self.asked(proxy)
            self.assertEqual(bool(answered(asking)), opened, changes)
            self.assertEqual(len(proxy.metrics().circuits()), 1 if opened else 0, (changes, opened))
            self.assertEqual(proxy.metrics().openings, {"llm": 1}, (changes, opened))
            asking.addErrback(lambda _: None)
            asking.cancel()
            self.end(proxy)

    def test_states(self) -> None:
        """
        What is known of an upstream goes on where it is where it was, whatever is added beside it; what runs in the
        former generation is counted by both.
        """
        one, two = (UpstreamConfig(name, f"http://192.0.2.{at}") for at, name in enumerate(("one", "two"), 1))
        config = a_config(base_url="", upstreams=(one,), retry=RetryConfig(2))
        proxy = self.proxy(config)
        asking = self.asked(proxy)
        before = proxy.generations.current.states
        [(_, _, state)] = before.all()
        self.assertEqual(state.in_flight, 1)
        state.drain()
        proxy.swap(evolve(config, upstreams=(evolve(one, weight=3), two)))
        after = proxy.generations.current.states
        self.assertEqual([(name, each.drained) for _, name, each in after.all()], [("one", True), ("two", False)])
        self.assertIs(next(iter(after.all()))[2], state)
        self.upstream[0].receive(WHOLE)
        self.successResultOf(asking)
        self.assertEqual(state.in_flight, 0)
        proxy.swap(evolve(config, upstreams=(evolve(one, base_url="http://192.0.2.9"), two)))
        self.assertEqual([each.drained for _, _, each in proxy.generations.current.states.all()], [False, False])

    def test_captured_from_now_on(self) -> None:
        """A configuration that captures holds for what is new, with its counters; that prompts are kept is logged."""
        sink = SinkConfig("log", "file", settings={"path": self.mktemp()})
        plain = APIConfig(
            {"llm": APIProviderConfig("http://192.0.2.9", ("/v1",), ("GET", "POST"))}, "llm", sinks=(sink,)
        )
        captured = APIConfig(
            {"llm": APIProviderConfig("http://192.0.2.9", ("/v1",), ("GET", "POST"), capture=CaptureConfig())},
            "llm",
            sinks=(sink,),
        )
        proxy = self.proxy(plain)
        self.assertNotIn("llmproxy_capture_exchanges", proxy.metrics().counters)
        for config, words in ((captured, "prompts and answers of llm are kept"), (plain, "kept any more")):
            with row(words), capturedLogs() as logs:
                proxy.swap(config)
                asking = self.asked(proxy)
                self.upstream[-1].receive(WHOLE)
                self.successResultOf(asking)
                self.assertTrue(any(words in str(formatEvent(each)) for each in logs), logs)
        _, value = proxy.metrics().counters["llmproxy_capture_exchanges"]
        self.assertEqual(value(), 1)

    def test_swap_that_is_cancelled(self) -> None:
        """Who waits no longer for the end of the old one changes nothing."""
        proxy = self.proxy(a_config())
        asking = self.asked(proxy)
        self.upstream[0].receive(HEAD)
        stream = Body(self.successResultOf(asking))
        ended = proxy.swap(a_config())
        ended.addErrback(lambda _: None)
        ended.cancel()
        self.upstream[0].receive(b"1\r\na\r\n0\r\n\r\n")
        self.assertEqual(stream.read, b"a")
        self.reactor.advance(1)
        self.assertEqual(self.upstream[0].state, "closed")

    def test_fetch_for_others(self) -> None:
        """What one of before fetches for a request of now goes on when the one who began it leaves."""
        config = a_config(cache=CacheConfig(True, scope="shared"))
        proxy = self.proxy(config)
        first = self.asked(proxy)
        ended = proxy.swap(evolve(config, debug_headers=True))
        second = self.asked(proxy)
        self.assertEqual(len(self.upstream), 1)
        first.addErrback(lambda _: None)
        first.cancel()
        self.reactor.advance(1)
        self.assertNoResult(ended)
        self.upstream[0].receive(STORED)
        self.assertEqual(Body(self.successResultOf(second)).read, b"ok")
        self.reactor.advance(5)
        self.successResultOf(ended)

    def test_nothing_is_left(self) -> None:
        """However often it is swapped, nothing is left of the configurations before, beside what was counted."""
        with Garbage() as garbage:
            proxy = self.proxy(a_config())
            former = []
            for number in range(5):
                asking = self.asked(proxy)
                self.upstream[-1].receive(WHOLE)
                Body(self.successResultOf(asking))
                del asking
                former.append(ref(proxy.generations.current))
                ended = proxy.swap(a_config(base_url=f"http://192.0.2.{number}"))
                self.reactor.advance(1)
                self.successResultOf(ended)
            del ended
            for each in self.upstream:
                each._protocol = None
            garbage.collected()
            self.assertEqual([each() for each in former], [None] * 5)
