"""Tests for L{llmproxy.core.http2.side}: both sides talk to each other. Their own tests say what each does alone."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2.clientmachine import ClientMachine
from llmproxy.core.http2.events import DataReceived, Event, RequestReceived, ResponseReceived, TrailersReceived
from llmproxy.core.http2.machine import ServerMachine
from llmproxy.core.http2.side import Side

HEAD = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/x?y")]


class Pair:
    def __init__(self) -> None:
        self.client, self.server = ClientMachine(65_536), ServerMachine(65_536)
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.talk()

    def talk(self) -> tuple[list[Event], list[Event]]:
        """What the client and the server understand, until neither has anything to say."""
        heard: tuple[list[Event], list[Event]] = ([], [])
        while True:
            to_server, to_client = self.client.data_to_send(), self.server.data_to_send()
            if not to_server and not to_client:
                return heard
            heard[1].extend(self.server.receive_data(to_server, 0.0))
            heard[0].extend(self.client.receive_data(to_client, 0.0))


class SideTests(SynchronousTestCase):
    def test_exchange(self) -> None:
        """A request and its answer, with trailers both ways; all windows are as they were afterwards."""
        pair = Pair()
        stream = pair.client.begin([*HEAD, (b"authorization", b"Bearer s")], False)
        pair.client.send_data(stream, b"question")
        pair.client.send_headers(stream, [(b"x-sum", b"1")], True)
        _, asked = pair.talk()
        self.assertEqual(
            asked,
            [
                RequestReceived(1, [*HEAD, (b"authorization", b"Bearer s")], False),
                DataReceived(1, b"question", 8, False),
                TrailersReceived(1, [(b"x-sum", b"1")]),
            ],
        )
        pair.server.send_headers(stream, [(b":status", b"200"), (b"content-length", b"6")])
        pair.server.send_data(stream, b"answer")
        pair.server.send_headers(stream, [(b"x-sum", b"2")], True)
        answered, _ = pair.talk()
        self.assertEqual(
            answered,
            [
                ResponseReceived(1, 200, [(b"content-length", b"6")], 6, False, False),
                DataReceived(1, b"answer", 6, False),
                TrailersReceived(1, [(b"x-sum", b"2")]),
            ],
        )
        self.assertEqual((pair.client._streams.open, pair.server._streams.open), ({}, {}))

    def test_windows(self) -> None:
        """Neither side sends more than the other has room for, and goes on once it has been given back."""
        pair = Pair()
        stream = pair.client.begin(HEAD, False)
        pair.talk()
        sent = 0
        while room := pair.client.local_flow_control_window(stream):
            pair.client.send_data(stream, b"x" * room)
            sent += room
        _, asked = pair.talk()
        self.assertEqual(sent, sum(event.size for event in asked if isinstance(event, DataReceived)))
        pair.server.acknowledge_received_data(sent, stream)
        pair.talk()
        self.assertGreater(pair.client.local_flow_control_window(stream), 0)

    def test_beginning(self) -> None:
        """A server waits for the preface of a client, which waits for none."""
        for side, preface in ((ClientMachine(1000), b""), (ServerMachine(1000), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")):
            self.assertIsInstance(side, Side)
            self.assertEqual(side._reader._preface, preface, side)
