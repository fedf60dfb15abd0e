"""An exchange in memory whose ledger is in files, and what is known of it at every moment: for tests of the ledger."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import h11
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded, StreamReset
from twisted.internet.address import IPv4Address

from llmproxy.core.ledger.frames import frames
from llmproxy.core.ledger.replay import Replay
from llmproxy.ledger.files import LedgerFiles
from llmproxy.ledger.journal import Journal
from llmproxy.message import Record

from .harness import Exchange, Socket

WRITER = "0123456789abcdef0123456789abcdef"


class JournalLedger:
    """A ledger that notes, and of which nobody settles anything."""

    def __init__(self, files: LedgerFiles) -> None:
        self.files = files
        self.journal = Journal(WRITER, "db", lambda number, least: files.new_segment(WRITER, number, least))

    def begin(self, record: Record, *, leased: bool) -> None:
        self.journal.begin(record, used=record.counted, leased=leased)

    def learn(self, record: Record) -> None:
        self.journal.learn(record)

    def is_open(self, record: Record) -> bool:
        return self.journal.is_open(record)

    def give_back(self, record: Record, *, leased: bool) -> None:
        self.journal.give_back(record, leased=leased)

    def end(self, record: Record) -> None:
        if record.token_id:
            self.journal.end(record)


def ledger_in(directory: str) -> JournalLedger:
    files = LedgerFiles(directory, 64 * 1024 * 1024)
    files.size = 64 * 1024
    files.prepare()
    return JournalLedger(files)


def found_in(directory: str) -> tuple[Replay, list[Any]]:
    """What another process finds in the files now: what is open, and what has ended."""
    replay, ended = Replay(), []
    for name in sorted(os.listdir(directory)):
        if name.endswith(".ledger"):
            with open(os.path.join(directory, name), "rb") as file:
                ended += replay.feed([(kind, content) for kind, content, _ in frames(file.read())])
    return replay, ended


class WatchedSocket(Socket):
    """A socket that says at once what is written to it, before anything else happens."""

    def __init__(self, protocol: Any, host: str, wrote: Callable[[bytes], object]) -> None:
        self._wrote = wrote
        super().__init__(protocol, host)

    def write(self, data: bytes) -> None:
        self._wrote(data)
        super().write(data)

    def loseConnection(self, *reason: Any) -> None:
        self._wrote(b"")
        super().loseConnection(*reason)


def client_of(exchange: Exchange, wrote: Callable[[bytes], object]) -> WatchedSocket:
    address = IPv4Address("TCP", "192.0.2.7", 40_000)
    return WatchedSocket(exchange.site.buildProtocol(address), "192.0.2.7", wrote)


class Http1Answers:
    """
    What a client takes for whole answers, as h11 reads them.

    @ivar complete: how many it has.
    """

    def __init__(self, method: str = "POST") -> None:
        self._method = method
        self.complete = 0
        self._next()

    def _next(self) -> None:
        self._http = h11.Connection(h11.CLIENT)
        self._http.send(h11.Request(method=self._method, target="/", headers=[("Host", "x")]))
        self._http.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> None:
        """@param data: empty for the end of the connection."""
        self._http.receive_data(data)
        while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.EndOfMessage):
                self.complete += 1
                rest = self._http.trailing_data[0]
                self._next()
                if rest:
                    self.feed(rest)
                return
            if isinstance(event, h11.ConnectionClosed):
                return


class Http2Answers:
    """The same over HTTP/2, as h2 reads them."""

    def __init__(self) -> None:
        self._http = H2Connection(H2Configuration(header_encoding=None))
        self._http.initiate_connection()
        self.complete = 0

    def request(self, fields: list[tuple[str, str]], body: bytes) -> bytes:
        """What to send for one."""
        stream = self._http.get_next_available_stream_id()
        self._http.send_headers(stream, fields)
        self._http.send_data(stream, body, end_stream=True)
        return self._http.data_to_send()

    def feed(self, data: bytes) -> None:
        for event in self._http.receive_data(data):
            assert not isinstance(event, StreamReset), event
            self.complete += isinstance(event, StreamEnded)
