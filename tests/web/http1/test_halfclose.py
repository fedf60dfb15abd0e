"""Tests for L{llmproxy.web.http1.halfclose}, through the channel whose clients end their side."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.core.clientlimits import Limits

from ..wire import Client, Seen, Streaming, get

SILENCE = Limits().half_closed


class HalfCloseTests(SynchronousTestCase):
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
            self.assertEqual(client.received, b"H", version)
            client.wait(1.0)
            self.assertEqual((client.ended, seen.left), ("", []), version)
            client.transport.handle.error = 32
            client.wait(2.0)
            self.assertEqual((client.ended, len(seen.left)), ("reset", 1), version)

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
            self.assertEqual(answers[0], answers[1], interim)
            self.assertEqual(answers[0][0].count(b"HTTP/1.1"), 1 + interim, interim)

    def test_within_the_response(self) -> None:
        """
        A client that waits gets a response that flows, however long it takes, and nothing else: no part of it can be
        taken for its end.
        """
        pieces = 20
        for length, piece, end in (
            (UNKNOWN_LENGTH, b"3\r\nabc\r\n", b"0\r\n\r\n"),
            (3 * pieces, b"abc", b""),
        ):
            client, seen = self.asked()
            seen.request.write_head(200, b"OK", [], length)
            client.run()
            before = client.received
            self.end(client)
            for _ in range(pieces):
                client.wait(0.9 * SILENCE)
                seen.request.write(b"abc")
            seen.request.finish()
            client.run()
            self.assertEqual(
                (client.received, client.ended), (before + piece * pieces + end, "closed"), (length, piece, end)
            )

    def test_silent(self) -> None:
        """
        One to whom there is nothing to send for so long has left, whenever it closed its side; nothing was sent that
        upstream did not.
        """
        for closed in ("waiting", "begun", "flowing"):
            client, seen = self.asked()
            if closed == "waiting":
                self.end(client)
                client.wait(100 * SILENCE)
            seen.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
            client.run()
            if closed == "begun":
                self.end(client)
            for _ in range(3):
                client.wait(0.9 * SILENCE)
                seen.request.write(b"abc")
            if closed == "flowing":
                self.end(client)
            client.wait(0.9 * SILENCE)
            self.assertEqual((client.ended, seen.left), ("", []), closed)
            sent = client.received
            client.wait(0.6 * SILENCE)
            self.assertEqual((client.ended, len(seen.left), client.received), ("reset", 1, sent), closed)

    def test_setting(self) -> None:
        """How long that is can be set."""
        client = Client(resource := Streaming(), limits=Limits(half_closed=10 * SILENCE))
        client.send(get(b"/"))
        resource.seen[0].request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.end(client)
        client.wait(9 * SILENCE)
        self.assertEqual(client.ended, "")
        client.wait(2 * SILENCE)
        self.assertEqual(client.ended, "reset")

    def test_slow(self) -> None:
        """One that has not taken yet what was sent is not silent; once it has, the time begins."""
        client, seen = self.asked()
        client.transport.take(0)
        seen.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        client.run()
        self.end(client)
        client.wait(9.8 * SILENCE)
        self.assertEqual(client.ended, "")
        client.transport.take(None)
        client.wait(0.9 * SILENCE)
        self.assertEqual(client.ended, "")
        client.wait(2 * SILENCE)
        self.assertEqual(client.ended, "reset")

    def test_next_request(self) -> None:
        """Before the head of an answer to a second request a client may wait; within it silence decides."""
        client = Client(resource := Streaming())
        client.send(get(b"/1") + get(b"/2"))
        self.end(client)
        resource.seen[0].answer()
        client.wait(100 * SILENCE)
        self.assertEqual((client.ended, len(resource.seen)), ("", 2))
        second = resource.seen[1]
        second.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        client.wait(2 * SILENCE)
        self.assertEqual((client.ended, len(second.left)), ("reset", 1))
        self.assertEqual(client.received.count(b"HTTP/1.1"), 2)

    def test_asked_by_the_system(self) -> None:
        """Where nothing can be sent the system asks, and what it hears is noticed."""
        client, seen = self.asked()
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
