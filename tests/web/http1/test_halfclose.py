"""Tests for L{llmproxy.web.http1.halfclose}, through the channel whose clients end their side."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from ..wire import Client, Seen, Streaming, get


class DepartureTests(SynchronousTestCase):
    def asked(self, fields: tuple[bytes, ...] = (), **request: Any) -> tuple[Client, Seen]:
        client = Client(resource := Streaming())
        client.send(get(b"/", *fields, **request))
        return client, resource.seen[0]

    def end(self, client: Client) -> None:
        client.transport.end()
        client.run()

    def test_before_the_head(self) -> None:
        """
        The first byte of the response, whatever that will be, goes ahead and comes once; a client that is gone is
        noticed by that.
        """
        for version in (b"1.1", b"1.0"):
            client, seen = self.asked(version=version)
            self.end(client)
            self.assertEqual(client.received, b"H")
            client.wait(1.0)
            self.assertEqual((client.ended, seen.left), ("", []))
            client.transport.handle.error = 32
            client.wait(2.0)
            self.assertEqual((client.ended, len(seen.left)), ("reset", 1))

    def test_answer(self) -> None:
        """A client that waits gets the same bytes as one that did not close its side."""
        for interim in (False, True):
            answers = []
            for ends in (False, True):
                client, seen = self.asked(fields=(b"Connection: close",))
                if ends:
                    self.end(client)
                if interim:
                    seen.request.write_interim(103, b"Early Hints", [(b"Link", b"</a>")])
                seen.answer()
                client.run()
                answers.append((client.received, client.ended))
            self.assertEqual(answers[0], answers[1])
            self.assertEqual(answers[0][0].count(b"HTTP/1.1"), 1 + interim)

    def test_within_the_response(self) -> None:
        """Nothing is sent but the response: no part of it can be taken for its end."""
        for length, end in ((UNKNOWN_LENGTH, b"3\r\ndef\r\n0\r\n\r\n"), (6, b"def")):
            client, seen = self.asked()
            seen.request.write_head(200, b"OK", [], length)
            seen.request.write(b"abc")
            client.run()
            before = client.received
            self.end(client)
            client.wait(30)
            self.assertEqual(client.received, before)
            seen.request.write(b"def")
            seen.request.finish()
            client.run()
            self.assertEqual((client.received, client.ended), (before + end, "closed"))

    def test_asked_by_the_system(self) -> None:
        """Where nothing can be sent the system asks, and what it hears is noticed."""
        client, seen = self.asked()
        seen.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        client.run()
        self.end(client)
        self.assertEqual(set(client.transport.handle.options.values()), {10})
        client.wait(60)
        self.assertEqual((client.ended, seen.left), ("", []))
        client.transport.handle.error = 32
        client.wait(11)
        self.assertEqual((client.ended, len(seen.left)), ("reset", 1))

    def test_answered(self) -> None:
        """Once it has its answer nobody looks any more."""
        client, seen = self.asked()
        self.end(client)
        seen.answer()
        client.run()
        self.assertEqual(client.ended, "closed")
        client.site.stopFactory()
        self.assertEqual(client.clock.getDelayedCalls(), [])
