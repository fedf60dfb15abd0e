"""Tests for L{llmproxy.web.site}."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from llmproxy.core.clientlimits import Limits
from llmproxy.core.forwarded import trusted_proxies
from llmproxy.net.timers import TimerWheel
from llmproxy.web.site import ProxySite

from .wire import Client, Streaming, Whole, get, post


class Tree(Resource):
    """A tree with both kinds of resources."""

    def __init__(self) -> None:
        super().__init__()
        self.streaming, self.whole = Streaming(), Whole()
        self.putChild(b"streaming", self.streaming)
        self.putChild(b"whole", self.whole)


class ProxySiteTests(SynchronousTestCase):
    def test_both_kinds(self) -> None:
        """A resource that takes a stream hears of a request before its body, all others after it."""
        client = Client(tree := Tree())
        client.send(post(b"abc", target=b"/whole")[:-1])
        self.assertEqual(tree.whole.requests, [])
        client.send(b"c")
        self.assertEqual(tree.whole.requests, [(b"POST", b"/whole", b"abc")])
        client.send(post(b"abc", target=b"/streaming")[:-1])
        self.assertEqual(len(tree.streaming.seen), 1)

    def test_whose_request(self) -> None:
        """The client is whoever connected, or whom a proxy that the site trusts tells of; nobody else is believed."""
        tree, clock = Streaming(), Clock()
        site = ProxySite(tree, reactor=clock, trusted_proxies=trusted_proxies(["192.0.2.1"]))
        for peer in ("192.0.2.1", "192.0.2.2"):
            Client(site=site, clock=clock, host=peer).send(get(b"/", b"X-Forwarded-For: 127.0.0.1, 203.0.113.9"))
        Client(tree).send(get(b"/", b"X-Forwarded-For: 203.0.113.9"))
        self.assertEqual([seen.request.client_host for seen in tree.seen][:2], ["203.0.113.9", "192.0.2.2"])
        self.assertNotEqual(tree.seen[2].request.client_host, "203.0.113.9")

    def test_asterisk(self) -> None:
        """RFC 9110 section 9.3.7: C{OPTIONS *} is about the server, and reaches no resource."""
        client = Client(whole := Whole())
        client.send(get(b"*", method=b"OPTIONS"))
        self.assertEqual((client.status, whole.requests), (200, []))

    def test_not_found(self) -> None:
        """A target that is nobody's is twisted.web's 404."""
        client = Client(Tree())
        client.send(get(b"/nowhere"))
        self.assertEqual(client.status, 404)

    def test_counts(self) -> None:
        """Connections are counted while they are open, whatever becomes of them."""
        client = Client(Whole())
        others = [Client(site=client.site, clock=client.clock, host=f"192.0.2.{number}") for number in (1, 1, 2)]
        self.assertEqual(client.site.connections, 4)
        for other in others:
            other.leave()
        self.assertEqual(client.site.connections, 1)

    def test_a_place_is_a_place(self) -> None:
        """A refused connection takes nobody's place, and gives none back."""
        client = Client(Whole(), limits=Limits(connections_per_client=1))
        for _ in range(3):
            self.assertEqual(Client(site=client.site, clock=client.clock).ended, "reset")
        self.assertEqual((client.site.connections, len(client.refusals)), (1, 3))
        client.send(get())
        self.assertEqual(client.status, 200)

    def test_broken_listener(self) -> None:
        """Whoever is told of refusals and fails is logged, and spoils nothing."""

        def broken(*refusal: Any) -> None:
            raise ZeroDivisionError

        site = ProxySite(Whole(), reactor=Clock(), on_refusal=broken)
        client = Client(site=site, clock=site.reactor)
        client.send(b"nonsense\r\n\r\n")
        self.assertEqual((client.status, len(self.flushLoggedErrors(ZeroDivisionError))), (400, 1))

    def test_stopped(self) -> None:
        """Once its last port has closed, it waits for what runs, keeps nothing else, and leaves no timer."""
        client = Client(streaming := Streaming())
        half = Client(site=client.site, clock=client.clock)
        half.send(get()[:-4])
        client.send(get())
        client.site.stopFactory()
        client.run()
        self.assertEqual((client.ended, half.ended), ("", ""))
        streaming.seen[0].answer()
        half.wait(17)
        self.assertEqual((client.ended != "", half.ended != "", client.site.connections), (True, True, 0))
        self.assertEqual(client.clock.getDelayedCalls(), [])

    def test_served_again(self) -> None:
        """A site whose port is opened again serves again."""
        client = Client(Whole())
        client.site.stopFactory()
        client.run()
        client.site.startFactory()
        again = Client(site=client.site, clock=client.clock)
        again.send(get())
        self.assertEqual((again.status, again.ended), (200, ""))

    def test_shared_wheel(self) -> None:
        """A wheel that belongs to others goes on turning for them."""
        clock = Clock()
        wheel = TimerWheel(clock)
        passed: list[bool] = []
        wheel.start(1.0, lambda: passed.append(True))
        site = ProxySite(Whole(), reactor=clock, wheel=wheel)
        site.stopFactory()
        clock.pump([0.1] * 15)
        self.assertEqual(passed, [True])

    def test_says_nothing_of_itself(self) -> None:
        """A fault in a resource tells the client nothing of how it came about."""

        class Broken(Resource):
            isLeaf = True

            def render(self, request: Any) -> bytes:
                raise ZeroDivisionError("secret")

        client = Client(Broken())
        client.send(get())
        self.assertEqual(
            (client.status, b"secret" in client.received, b"Traceback" in client.received), (500, False, False)
        )
        self.flushLoggedErrors(ZeroDivisionError)
