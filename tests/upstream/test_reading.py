"""Tests for L{llmproxy.upstream.reading}: more at once of large bodies, and only of those."""

from __future__ import annotations

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.upstream.reading import MOST_READ, READ, adapt, next_size

from .wire import Reader, Wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class SizeTests(SynchronousTestCase):
    def test_each_read(self) -> None:
        """Reads that are filled grow up to a limit; what comes in smaller pieces is read as ever."""
        for size, came, expected in (
            (READ, 1, READ),
            (READ, READ - 1, READ),
            (READ, READ, 2 * READ),
            (2 * READ, 2 * READ, MOST_READ),
            (MOST_READ, MOST_READ, MOST_READ),
            (MOST_READ, MOST_READ - 1, MOST_READ),
            (MOST_READ, READ, MOST_READ),
            (MOST_READ, READ - 1, READ),
        ):
            self.assertEqual(next_size(size, came), expected, (size, came))

    def test_transports(self) -> None:
        """A transport that knows no size has its own reasons; one that does is told."""
        transport = StringTransport()
        self.assertTrue(adapt(transport, READ))
        self.assertEqual(getattr(transport, "bufferSize"), 2 * READ)
        self.assertFalse(adapt(transport, 10))
        self.assertEqual(getattr(transport, "bufferSize"), READ)


class ConnectionTests(SynchronousTestCase):
    def test_large_body(self) -> None:
        """A connection reads more at once as long as a body fills its reads, and less for the next answer."""
        wire = Wire()
        responding = wire.request()
        socket = wire.accept()
        sizes = []
        for piece in ((HEAD % (3 * READ) + bytes(READ))[:READ], bytes(2 * READ), bytes(len(HEAD % (3 * READ)))):
            socket.say(piece)
            sizes.append(getattr(socket, "bufferSize"))
            if len(sizes) == 1:
                reading = self.successResultOf(responding).body.startProducing(reader := Reader())
        self.successResultOf(reading)
        self.assertEqual((len(reader.data), sizes), (3 * READ, [2 * READ, MOST_READ, READ]))
