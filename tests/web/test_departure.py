"""Tests for L{llmproxy.web.departure}, through the channel whose clients end their side."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from .wire import Client, Seen, Streaming, get

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class DepartureTests(SynchronousTestCase):
    def asked(self, **request: Any) -> tuple[Client, Seen]:
        client = Client(resource := Streaming())
        client.send(get(**request))
        return client, resource.seen[0]

    def end(self, client: Client) -> None:
        client.transport.end()
        client.run()

    def test_before_the_head(self) -> None:
        """A client that waits is sent what changes nothing for it; one that is gone is noticed by that."""
        client, seen = self.asked()
        self.end(client)
        self.assertEqual(client.received, CONTINUE)
        client.wait(1.0)
        self.assertEqual((client.ended, seen.left), ("", []))
        client.transport.handle.error = 32
        client.wait(2.0)
        self.assertEqual((client.ended, len(seen.left)), ("reset", 1))

    def test_between_chunks(self) -> None:
        """RFC 9112 section 7.1: between chunks it is a zero before the next size, which stays what it is."""
        client, seen = self.asked()
        seen.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        seen.request.write(b"abc")
        client.run()
        before = client.received
        self.end(client)
        self.assertEqual(client.received, before + b"0")
        seen.request.write(b"de")
        client.run()
        self.assertEqual(client.received, before + b"02\r\nde\r\n")
        client.transport.handle.error = 32
        client.wait(1.0)
        self.assertEqual((client.ended, len(seen.left)), ("reset", 1))

    def test_within_a_counted_body(self) -> None:
        """Within a body of known length there is nothing to say but the body."""
        client, seen = self.asked()
        seen.request.write_head(200, b"OK", [], 6)
        seen.request.write(b"abc")
        client.run()
        before = client.received
        self.end(client)
        self.assertEqual(client.received, before)
        seen.request.write(b"def")
        seen.request.finish()
        client.run()
        self.assertEqual((client.received, client.ended), (before + b"def", "closed"))

    def test_old_client(self) -> None:
        """RFC 9110 section 15.2: a client of HTTP/1.0 knows no 100."""
        client, _ = self.asked(version=b"1.0")
        self.end(client)
        self.assertEqual(client.received, b"")

    def test_answered(self) -> None:
        """Once it has its answer nobody looks any more."""
        client, seen = self.asked()
        self.end(client)
        seen.answer()
        client.run()
        self.assertEqual(client.ended, "closed")
        client.site.stopFactory()
        self.assertEqual(client.clock.getDelayedCalls(), [])

    def test_looks_less_and_less(self) -> None:
        """A client that waits for long is not looked at for ever."""
        client, seen = self.asked()
        self.end(client)
        client.wait(30)
        client.transport.handle.error = 32
        client.wait(5)
        self.assertEqual((client.ended, seen.left), ("", []))
