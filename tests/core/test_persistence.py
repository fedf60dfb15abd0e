"""Tests for L{llmproxy.core.persistence}: five questions, as tables over the same facts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http11 import CHUNKED
from llmproxy.core.persistence import BODY, CLOSING, HEAD, IDLE, NOTHING, SENDING, Persistence
from llmproxy.core.requestreader import RequestReader

MOST_UNREAD, MOST_AHEAD = 10, 20
WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@frozen
class Upload:
    """
    @ivar left: bytes that are to come.
    """

    left: int = 5
    wants_data: bool = True
    unread: bool = False
    dropped: bool = False


READ, WAITS, FULL = Upload(), Upload(unread=True), Upload(wants_data=False)
DROPPED = Upload(wants_data=False, unread=True, dropped=True)
LONG = Upload(11, wants_data=False, unread=True, dropped=True)
CHUNKS = Upload(CHUNKED, wants_data=False, unread=True, dropped=True)

ANSWERING: dict[str, Any] = {"answering": True}


def persistence(unread: bytes = b"", upload: Upload | None = None, **facts: Any) -> Persistence:
    reader = RequestReader(100, 1000, 10)
    reader.feed(unread)
    if upload is not None:
        reader.begin_body(upload.left)
    found = Persistence(reader, MOST_UNREAD, MOST_AHEAD)
    found.upload = upload
    for name, value in facts.items():
        setattr(found, name, value)
    return found


class QuestionTests(SynchronousTestCase):
    def check(self, question: Callable[[Persistence], object], rows: list[tuple[object, dict[str, Any]]]) -> None:
        wrong = [
            (facts, answer, expected)
            for expected, facts in rows
            if (answer := question(persistence(**facts))) is not expected and answer != expected
        ]
        self.assertEqual(wrong, [])

    def test_may_keep(self) -> None:
        """A response promises to keep the connection only if what the client still sends can be told from a request."""
        self.check(
            Persistence.may_keep,
            [
                (True, {}),
                (False, {"client_keeps": False}),
                (False, {"broken": True}),
                (False, {"ended": True}),
                (False, {"ended": True, "unread": WHOLE[:-1]}),
                (True, {"ended": True, "unread": WHOLE}),
                (True, {"upload": READ}),
                (True, {"upload": FULL}),
                (True, {"upload": WAITS}),
                (True, {"upload": DROPPED}),
                (False, {"upload": LONG}),
                (False, {"upload": CHUNKS}),
                (True, {"upload": Upload(11)}),
                (False, {"upload": READ, "expecting": True}),
                (True, {"congested": True}),
            ],
        )

    def test_must_close(self) -> None:
        """What changed since the promise may end the connection all the same."""
        self.check(
            Persistence.must_close,
            [
                (False, {}),
                (True, {"broken": True}),
                (True, {"expecting": True}),
                (True, {"ended": True}),
                (False, {"ended": True, "unread": WHOLE}),
                (False, {"upload": DROPPED}),
                (True, {"upload": LONG}),
                (True, {"upload": CHUNKS}),
                (False, {"client_keeps": False}),
            ],
        )

    def test_reads_rest(self) -> None:
        """The rest of a body that nobody wants is read if it is small and its end is known."""
        self.check(
            Persistence.reads_rest,
            [(True, {"upload": Upload(10)}), (False, {"upload": Upload(11)}), (False, {"upload": CHUNKS}), (True, {})],
        )

    def test_may_take(self) -> None:
        """One request is answered after another, and none is begun for a client that does not take its answers."""
        self.check(
            Persistence.may_take,
            [
                (True, {}),
                (False, ANSWERING),
                (False, {"congested": True}),
                (True, {"answering": True, "upload": READ}),
                (True, {"congested": True, "upload": READ}),
                (False, {"closing": True}),
                (False, {"broken": True}),
                (False, {"closing": True, "upload": READ}),
                (False, {"broken": True, "upload": READ}),
            ],
        )

    def test_ignores_data(self) -> None:
        """After a fault, and while closing, what comes is thrown away."""
        self.check(
            Persistence.ignores_data,
            [(False, {}), (True, {"broken": True}), (True, {"closing": True}), (False, ANSWERING)],
        )

    def test_is_unfinished(self) -> None:
        """A client that sends no more, and waits for no answer, has nothing to stay for."""
        self.check(
            Persistence.is_unfinished,
            [
                (True, {}),
                (False, ANSWERING),
                (False, {"congested": True}),
                (True, {"answering": True, "upload": READ}),
            ],
        )

    def test_wants_data(self) -> None:
        """What is read ahead has a bound, and a body is read when there is room for it."""
        self.check(
            Persistence.wants_data,
            [
                (True, {}),
                (True, ANSWERING),
                (True, {"answering": True, "unread": b"x" * MOST_AHEAD}),
                (False, {"answering": True, "unread": b"x" * (MOST_AHEAD + 1)}),
                (True, {"answering": True, "congested": True}),
                (False, {"congested": True}),
                (True, {"answering": True, "upload": READ}),
                (False, {"answering": True, "upload": FULL}),
                (True, {"answering": True, "upload": DROPPED}),
                (False, {"answering": True, "upload": LONG}),
                (False, {"answering": True, "upload": CHUNKS}),
                (False, {"upload": DROPPED}),
                (True, {"closing": True, "unread": b"x" * 100}),
                (True, {"broken": True, "answering": True, "upload": FULL}),
            ],
        )

    def test_phase(self) -> None:
        """Everything that a client can be slow at has its own time; what is ours to do has none."""
        self.check(
            Persistence.phase,
            [
                (IDLE, {}),
                (HEAD, {"unread": b"G"}),
                (IDLE, {"unread": b"G", "congested": True}),
                (NOTHING, ANSWERING),
                (NOTHING, {"answering": True, "unread": b"G"}),
                (SENDING, {"answering": True, "congested": True}),
                (IDLE, {"congested": True}),
                (BODY, {"answering": True, "upload": READ}),
                (NOTHING, {"answering": True, "upload": WAITS}),
                (NOTHING, {"answering": True, "upload": FULL}),
                (BODY, {"upload": DROPPED}),
                (SENDING, {"answering": True, "congested": True, "upload": READ}),
                (CLOSING, {"closing": True, "answering": True, "congested": True, "upload": READ}),
            ],
        )

    def test_cut(self) -> None:
        """A body stays incomplete where more is left of it than the client has sent; of chunks nobody knows."""
        for waiting, expected in ((0, True), (4, True), (5, False), (6, False)):
            self.check(
                lambda found, waiting=waiting: found.is_cut(waiting),  # type: ignore[misc]
                [(expected, {"answering": True, "upload": FULL}), (False, {"answering": True, "upload": CHUNKS})],
            )
        self.assertFalse(persistence(b"abc", FULL).is_cut(2))
        self.assertFalse(persistence().is_cut(0))

    def test_at_ease(self) -> None:
        """The short way is taken only where the long one would come to the same: read on, and wait for nothing else."""
        names = ("answering", "broken", "ended", "closing", "congested")
        for values in product((False, True), repeat=len(names)):
            for unread, upload in product((b"", b"G"), (None, READ, DROPPED)):
                found = persistence(unread, upload, **dict(zip(names, values, strict=True)))
                if found.is_at_ease():
                    self.assertTrue(found.wants_data(), (values, unread))
                    self.assertEqual(found.phase(), NOTHING if found.answering else IDLE, (unread, upload))
        self.assertTrue(persistence().is_at_ease() and persistence(**ANSWERING).is_at_ease())
