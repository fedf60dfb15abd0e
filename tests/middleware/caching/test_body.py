"""Tests for L{llmproxy.middleware.caching.body}: what is stored, on its way to a client."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from llmproxy.bodies import BytesBody
from llmproxy.core.caching.content import BLOCK, LARGE, Pieces
from llmproxy.errors import BodyStopped
from llmproxy.middleware.caching.body import TURN, StoredBody, body_of

CONTENT = bytes(range(256)) * 256 * 40


class Client:
    """One who reads; C{behind} pauses the body in the midst of each write."""

    def __init__(self, body: StoredBody, *, behind: bool = False) -> None:
        self.body = body
        self.behind = behind
        self.got: list[bytes] = []
        self.reading: Deferred[None] = body.startProducing(self)

    @property
    def data(self) -> bytes:
        return b"".join(self.got)

    def write(self, data: bytes) -> None:
        self.got.append(data)
        if self.behind:
            self.body.pauseProducing()


class BodyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def body(self, content: bytes | Pieces = CONTENT) -> StoredBody:
        body = body_of(self.clock, content)
        assert isinstance(body, StoredBody)
        return body

    def turn(self) -> None:
        self.clock.advance(0)

    def test_interface(self) -> None:
        """It is a body like any other, whose length is known."""
        verifyObject(IBodyProducer, self.body())
        self.assertEqual(self.body().length, len(CONTENT))

    def test_small(self) -> None:
        """What is small is there at once, and leaves with its head."""
        body = body_of(self.clock, bytes(LARGE))
        self.assertIsInstance(body, BytesBody)

    def test_in_turns(self) -> None:
        """A reader who takes all that comes gets it in turns, so that others get theirs in between."""
        first, second = Client(self.body()), Client(self.body(Pieces([CONTENT[:100], CONTENT[100:]])))
        self.assertEqual(len(first.data), TURN)
        self.assertEqual(max(map(len, first.got)), BLOCK)
        while self.clock.getDelayedCalls():
            self.turn()
        self.assertTrue(first.data == second.data == CONTENT)
        self.successResultOf(first.reading)
        self.successResultOf(second.reading)

    def test_pieces_as_they_are(self) -> None:
        """What came in pieces goes out in the same, uncopied."""
        pieces = [CONTENT[at : at + LARGE] for at in range(0, len(CONTENT), LARGE)]
        client = Client(self.body(Pieces(pieces)))
        while self.clock.getDelayedCalls():
            self.turn()
        self.assertTrue(all(got is piece for got, piece in zip(client.got, pieces, strict=True)))

    def test_backpressure(self) -> None:
        """For a reader who is behind nothing more is written, and no timer turns; it goes on when he does."""
        client = Client(self.body(), behind=True)
        self.assertEqual((len(client.data), self.clock.getDelayedCalls()), (BLOCK, []))
        client.body.resumeProducing()
        self.assertEqual((len(client.data), self.clock.getDelayedCalls()), (2 * BLOCK, []))
        client.behind = False
        client.body.resumeProducing()
        client.body.resumeProducing()
        self.assertEqual((len(client.data), len(self.clock.getDelayedCalls())), (2 * BLOCK + TURN, 1))

    def test_paused_between_turns(self) -> None:
        """Who falls behind between two turns gets nothing in the next one."""
        client = Client(self.body())
        client.body.pauseProducing()
        self.turn()
        self.assertEqual((len(client.data), self.clock.getDelayedCalls()), (TURN, []))

    def test_client_leaves(self) -> None:
        """A client who leaves ends it: nothing is written any more, nothing is left to happen."""
        client = Client(self.body())
        client.reading.cancel()
        self.failureResultOf(client.reading, CancelledError)
        client.body.resumeProducing()
        self.assertEqual((len(client.data), self.clock.getDelayedCalls()), (TURN, []))

    def test_client_leaves_within_a_write(self) -> None:
        """So does one who is found to have left while he is written to."""
        body = self.body()

        class Gone(Client):
            def write(self, data: bytes) -> None:
                super().write(data)
                body.stopProducing()

        gone = Gone(body)
        self.assertEqual((len(gone.data), self.clock.getDelayedCalls()), (BLOCK, []))
        self.assertNoResult(gone.reading)

    def test_dropped(self) -> None:
        """What is dropped is stopped, and cannot be read then."""
        body = self.body()
        body.stopProducing()
        self.failureResultOf(Client(body).reading, BodyStopped)

    @given(st.lists(st.sampled_from(["pause", "resume", "turn"]), max_size=20))
    def test_any_pace(self, steps: list[str]) -> None:
        """However a client reads, he has every byte once and in order."""
        client = Client(self.body())
        for step in steps:
            {"pause": client.body.pauseProducing, "resume": client.body.resumeProducing, "turn": self.turn}[step]()
        client.body.resumeProducing()
        while self.clock.getDelayedCalls():
            self.turn()
        self.successResultOf(client.reading)
        self.assertTrue(client.data == CONTENT)
