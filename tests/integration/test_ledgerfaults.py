"""
Processes that are killed at any line of an exchange: what their files say afterwards.

A child makes an exchange in memory, with its ledger in files, and kills itself (SIGKILL) at the line that is named.
What it had written to its client and to upstream until then has gone through pipes, as it would have gone into sockets.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.ledger.adoption import Adoption
from llmproxy.ledger.files import LedgerFiles

from ..harness import Exchange, a_request
from ..ledger.fakes import FakeOwed, FakeRecords, at_once
from ..ledgercase import Http1Answers, WatchedSocket, client_of, ledger_in

OWN = "fedcba9876543210fedcba9876543210"
CONTENT = b'{"model":"m-1","usage":{"prompt_tokens":7,"completion_tokens":5}}'
SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)
)
REQUEST = a_request(b"/v1/chat/completions", b"Content-Type: application/json", body=b'{"model":"m-1"}')
KILLS, OTHERS = 45, 15
"""At lines of the ledger and of what writes answers, and at all others: of each kind of answer."""


class Killer:
    """
    Counts lines of the package, and kills the process at one of them.

    @param at: the number of the line; 0 for none.
    @ivar lines: how many there were.
    @ivar ours: the numbers of those that are the ledger's, or decide in which order things happen.
    """

    def __init__(self, at: int = 0) -> None:
        self._at = at
        self.lines = 0
        self.ours: list[int] = []

    def __enter__(self) -> Killer:
        sys.settrace(self._call)
        return self

    def __exit__(self, *reason: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if "/llmproxy/" in frame.f_code.co_filename else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.lines += 1
        if self.lines == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        name = frame.f_code.co_filename
        if "/ledger/" in name or name.endswith(("recordexchanges.py", "relay.py", "http1/response.py")):
            self.ours.append(self.lines)
        return self._line


class LedgerFaultsTests(SynchronousTestCase):
    def exchange(self, directory: str, answer: bytes, to_client: Callable[[bytes], Any], sent: Any, at: int) -> Killer:
        """One exchange, with a first one before it that opens connections."""
        exchange = Exchange(ledger=ledger_in(directory), dialect="openai")
        client = client_of(exchange, lambda data: None)
        client.receive(REQUEST)
        upstream = exchange.upstream[0]
        upstream.receive(answer)
        client._wrote = to_client
        upstream.__class__ = WatchedSocket
        upstream._wrote = sent  # type: ignore[attr-defined]
        with Killer(at) as killer:
            client.receive(REQUEST)
            for start in range(0, len(answer), 50):
                upstream.receive(answer[start : start + 50])
        return killer

    def killed(self, directory: str, answer: bytes, at: int) -> tuple[bytes, bytes]:
        """What a process that was killed there had written to the client, and to upstream."""
        pipes = [os.pipe(), os.pipe()]
        child = os.fork()
        if not child:
            self._child(directory, answer, at, [write for _, write in pipes])
        for _, write in pipes:
            os.close(write)
        written = [_all_of(read) for read, _ in pipes]
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.WTERMSIG(status) if os.WIFSIGNALED(status) else -status, signal.SIGKILL, at)
        return written[0], written[1]

    def _child(self, directory: str, answer: bytes, at: int, pipes: list[int]) -> None:
        gc.disable()
        try:
            self.exchange(directory, answer, *(lambda data, fd=fd: os.write(fd, data) for fd in pipes), at)  # type: ignore[misc]
        except BaseException:
            traceback.print_exc()
        os._exit(1)

    def adopt(self, directory: str) -> tuple[FakeRecords, FakeOwed]:
        files = LedgerFiles(directory, 1 << 26)
        records, owed = FakeRecords(), FakeOwed()
        adoption = Adoption(files, OWN, "db", records, owed, lambda entry: entry, at_once)
        self.successResultOf(Deferred.fromCoroutine(_awaited(adoption.look())))
        self.assertEqual(os.listdir(directory), [])
        return records, owed

    def judge(self, directory: str, to_client: bytes, to_upstream: bytes, at: int) -> None:
        answers = Http1Answers()
        if to_client:
            answers.feed(to_client)
        records, owed = self.adopt(directory)
        first, *second = records.kept.values()
        self.assertEqual(first.ending, "complete")
        endings = [each.ending for each in second]
        self.assertIn(endings, ([], ["interrupted"], ["complete"]), at)
        if answers.complete:
            self.assertEqual(endings, ["complete"], at)
            self.assertEqual((second[0].input_tokens, second[0].output_tokens), (7, 5), at)
        if to_upstream:
            self.assertEqual(len(endings), 1, at)
        # Nobody has written down any of them: what is owed is what counts.
        self.assertEqual(
            sum(each.used for each in owed.settled), sum(each.counted for each in records.kept.values()), at
        )

    def points(self, answer: bytes) -> list[int]:
        """Where to kill: the same places in every run."""
        killer = self.exchange(self.mktemp(), answer, len, len, 0)
        draw = random.Random(20)
        return sorted({*draw.sample(killer.ours, KILLS), *draw.sample(range(1, killer.lines), OTHERS)})

    def play(self, answer: bytes) -> None:
        for at in self.points(answer):
            directory = self.mktemp()
            self.judge(directory, *self.killed(directory, answer, at), at)

    def test_length(self) -> None:
        """An answer with a length: what the client has whole is there, what upstream has is there, nothing is twice."""
        self.play(SIZED)

    def test_chunks(self) -> None:
        """The same of one in chunks."""
        self.play(CHUNKED)


async def _awaited(looking: Any) -> None:
    await looking


def _all_of(fd: int) -> bytes:
    with open(fd, "rb") as pipe:
        return pipe.read()
