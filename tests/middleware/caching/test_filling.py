"""Tests for L{llmproxy.middleware.caching.filling}: stored while it flows."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.apisettings import ApiSettings, CacheSettings
from llmproxy.bodies import BytesBody
from llmproxy.core.caching.content import Pieces
from llmproxy.core.caching.key import Key
from llmproxy.errors import UpstreamReset
from llmproxy.message import Api, ApiResponse
from llmproxy.middleware.caching.filling import content_of, drop

from ..fakes import HeldBody
from .case import FRESH, Answered, CacheTestCase

STREAM = b"Content-Type: text/event-stream"


class FlowingTests(CacheTestCase):
    def begin(self, *fields: bytes, length: object = None) -> tuple[Answered, HeldBody]:
        responding = self.send()
        body = HeldBody() if length is None else HeldBody(length)
        self.answer(*(fields or (FRESH,)), body=body)
        return self.got(responding), body

    def test_not_held_up(self) -> None:
        """The client has each chunk at once, and the store has nothing before the end."""
        answered, body = self.begin()
        body.write(b"one")
        self.assertEqual((answered.body, self.store.statistics()["entries"]), (b"one", 0))
        body.end()
        self.assertEqual((answered.whole, self.hit().body), (True, b"one"))

    def test_cut_short(self) -> None:
        """What was cut short is never stored, and its client sees that it was."""
        answered, body = self.begin()
        body.write(b"one")
        body.fail(UpstreamReset())
        self.assertEqual(answered.whole, False)
        self.assertTrue(self.missed())

    def test_client_leaves(self) -> None:
        """A client that leaves alone stops upstream, and nothing is stored."""
        responding = self.send()
        body = HeldBody()
        self.answer(FRESH, body=body)
        response = self.successResultOf(responding)
        assert response.body is not None
        reading = response.body.startProducing(Answered(ApiResponse(200, b"", [])).reader)
        body.write(b"one")
        reading.cancel()
        self.failureResultOf(reading)
        self.assertEqual(body.calls, ["cancelled"])
        self.assertTrue(self.missed())

    def test_too_large(self) -> None:
        """An answer above the limit is let go, not cut: its client has all of it."""
        self.api = self.limited(10)
        answered, body = self.begin()
        for _ in range(5):
            body.write(b"12345")
        body.end()
        self.assertEqual((answered.body, answered.whole), (b"12345" * 5, True))
        self.assertTrue(self.missed())

    def test_too_large_from_the_start(self) -> None:
        """One that says so in its head is passed on as it is, and nobody waits for it."""
        self.api = self.limited(10)
        asked = [self.send(), self.send()]
        self.answer(FRESH, b"Content-Length: 11", body=HeldBody(11))
        self.assertEqual(self.got(asked[0]).told, b"llmproxy; fwd=uri-miss")
        self.assertEqual(len(self.inner.pending), 1)

    def test_all_together(self) -> None:
        """What all answers on their way hold is bounded: above it they are let go."""
        self.cache.budget.left = 4
        answered, body = self.begin()
        body.write(b"12345")
        body.end()
        self.assertEqual((answered.whole, self.cache.budget.left), (True, 4))
        self.assertTrue(self.missed())

    def test_end_unknown(self) -> None:
        """An answer whose end is the end of the connection could have been cut: it is not stored."""
        responding = self.send()
        self.answer(FRESH, body=HeldBody(), until_close=True)
        self.assertEqual(self.got(responding).told, b"llmproxy; fwd=uri-miss")

    def test_backpressure(self) -> None:
        """A slow client still slows upstream down."""
        responding = self.send()
        body = HeldBody()
        self.answer(FRESH, body=body)
        response = self.successResultOf(responding)
        Answered(response)
        assert response.body is not None
        response.body.pauseProducing()
        response.body.resumeProducing()
        self.assertEqual(body.calls, ["paused", "resumed"])

    def test_expired_on_the_way(self) -> None:
        """What takes longer to come than it is fresh is of no use any more."""
        answered, body = self.begin()
        self.clock.advance(61)
        body.end()
        self.assertEqual((answered.whole, self.store.statistics()["entries"]), (True, 0))

    def test_invalidated_on_the_way(self) -> None:
        """What an unsafe request has made doubtful while it flowed is not stored."""
        answered, body = self.begin()
        posting = self.send(method=b"DELETE")
        self.answer(status=204, body=None)
        self.got(posting)
        body.end()
        self.assertEqual((answered.whole, self.missed()), (True, True))

    def test_store_takes_its_time(self) -> None:
        """Until the store has it, whoever comes gets it nevertheless without another call."""
        put = self.store.put
        later: Deferred[bool] = Deferred()
        self.store.put = lambda *arguments: later  # type: ignore[assignment, method-assign]
        answered, body = self.begin()
        body.write(b"one")
        body.end()
        self.assertEqual(answered.body, b"one")
        self.assertEqual(self.hit().body, b"one")
        self.store.put = put  # type: ignore[method-assign]
        later.callback(True)
        self.assertTrue(self.missed())

    def test_store_is_full(self) -> None:
        """What the store does not take is not counted."""
        self.begin(length=None)[1].end()
        self.assertEqual(self.counts["store"], 1)
        self.store._limit = 1
        self.fill(target=b"/v1/other")
        self.assertEqual(self.counts["store"], 1)

    def limited(self, size: int) -> Api:
        return evolve(self.an_api(), settings=ApiSettings(cache=evolve(self.settings, max_object=size)))

    @given(st.lists(st.binary(max_size=20), max_size=8), st.integers(0, 8), st.booleans())
    def test_only_what_is_whole(self, chunks: list[bytes], cut: int, fails: bool) -> None:
        """Wherever an answer is cut, by upstream or by its client: what is served later is whole."""
        self.setUp()
        responding = self.send()
        body = HeldBody()
        self.answer(FRESH, body=body)
        response = self.successResultOf(responding)
        assert response.body is not None
        reading = response.body.startProducing(Answered(ApiResponse(200, b"", [])).reader)
        for chunk in chunks[:cut]:
            body.write(chunk)
        whole = cut >= len(chunks)
        if whole:
            body.end()
        elif fails:
            body.fail(UpstreamReset())
        else:
            reading.cancel()
        reading.addErrback(lambda _: None)
        served = self.got(self.send()) if whole else None
        self.assertEqual(self.store.statistics()["entries"], 1 if whole else 0)
        if served is not None:
            self.assertEqual(served.body, b"".join(chunks))


class LargeTests(CacheTestCase):
    """What is large is kept in the pieces that it came in, and nobody can tell."""

    settings = CacheSettings(max_object=4 << 20, streams=True)
    limit = 6 << 20
    pieces = [bytes([number]) * 65_000 for number in range(20)]
    whole = b"".join(pieces)
    etag = b'ETag: "v"'

    def begin(self, *fields: bytes) -> tuple[Answered, HeldBody]:
        responding = self.send()
        body = HeldBody()
        self.answer(FRESH, self.etag, *fields, body=body)
        return self.got(responding), body

    def fill_large(self, *fields: bytes) -> None:
        answered, body = self.begin(*fields)
        for piece in self.pieces:
            body.write(piece)
        body.end()
        self.assertTrue(answered.body == self.whole)

    def hit_large(self, *fields: bytes, **more: Any) -> Answered:
        answered = self.hit(*fields, **more)
        self.turn()
        return answered

    def turn(self) -> None:
        while self.clock.getDelayedCalls():
            self.clock.advance(0)

    def test_same_bytes(self) -> None:
        """A hit has every byte, in pieces that are those of the first answer."""
        self.fill_large()
        found = self.store.found(Key(self.api.space, "p-1", b"GET", b"/v1/models"), lambda names: b"")
        assert found is not None
        assert isinstance(found.body, Pieces)
        self.assertTrue(all(kept is piece for kept, piece in zip(found.body.pieces, self.pieces, strict=True)))
        hit = self.hit_large()
        self.assertEqual((hit.whole, hit.response.body.length), (True, len(self.whole)))  # type: ignore[union-attr]
        self.assertTrue(hit.body == self.whole)

    def test_range(self) -> None:
        """A part of it is that part, large or small, and across the ends of pieces."""
        self.fill_large()
        for start, end in ((0, 0), (64_990, 65_010), (70_000, 1_200_000), (1_299_999, 1_299_999)):
            hit = self.hit_large(b"Range: bytes=%d-%d" % (start, end))
            self.assertEqual((hit.status, hit.whole), (206, True), (start, end))
            self.assertTrue(hit.body == self.whole[start : end + 1], start)

    def test_head_and_condition(self) -> None:
        """HEAD and a condition that holds get no content."""
        self.fill_large()
        for hit in (self.hit_large(method=b"HEAD"), self.hit_large(b'If-None-Match: "v"')):
            self.assertIsNone(hit.response.body, hit)

    def test_still_good(self) -> None:
        """Found to be still good, it is served from the store, and goes on being stored."""
        self.fill_large()
        self.clock.advance(61)
        responding = self.send()
        self.answer(FRESH, self.etag, status=304, body=None)
        answered = self.got(responding)
        self.turn()
        self.assertTrue(answered.body == self.whole == self.hit_large().body)

    def test_coalesced(self) -> None:
        """Who comes while it flows has all of it too, and so has he who comes before the store has it."""
        later: Deferred[bool] = Deferred()
        self.store.put = lambda *arguments: later  # type: ignore[assignment, method-assign]
        first, body = self.begin()
        for piece in self.pieces[:10]:
            body.write(piece)
        second = self.got(self.send())
        for piece in self.pieces[10:]:
            body.write(piece)
        body.end()
        third = self.got(self.send())
        self.turn()
        self.assertTrue(first.body == second.body == third.body == self.whole)
        self.assertEqual((second.whole, third.whole, len(self.inner.requests)), (True, True, 1))

    def test_client_leaves(self) -> None:
        """A client who leaves in the midst of a hit stops it, and nothing else."""
        self.fill_large()
        response = self.successResultOf(self.send())
        assert response.body is not None
        reader = Answered(ApiResponse(200, b"", [])).reader
        reading = response.body.startProducing(reader)
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertEqual((len(reader.data) < len(self.whole), self.clock.getDelayedCalls()), (True, []))
        self.assertTrue(self.hit_large().body == self.whole)

    def test_stream(self) -> None:
        """The end of a large stream is found in its last pieces."""
        for end, stored in ((b"data: x\n\ndata: [DO", 0), (b"data: x\n\n", 1)):
            _, body = self.begin(STREAM)
            for piece in (*self.pieces, end[:9], end[9:]):
                body.write(piece)
            body.end()
            self.assertEqual(self.store.statistics()["entries"], stored, (end, stored))
        self.assertTrue(self.hit_large().body == self.whole + end)

    def test_more_than_the_store_takes(self) -> None:
        """What no store could hold is not kept on its way to it, whatever the API allows."""
        self.store.largest = 1 << 20
        responding = [self.send(), self.send()]
        self.answer(FRESH, body=HeldBody((1 << 20) + 1))
        self.assertEqual(self.got(responding[0]).told, b"llmproxy; fwd=uri-miss")
        self.assertEqual(len(self.inner.pending), 1)
        self.answer(FRESH, body=HeldBody())
        self.got(responding[1])
        before = self.cache.budget.left
        self.fill_large()
        self.assertEqual((self.cache.budget.left, self.store.statistics()["entries"]), (before, 0))


class StreamTests(CacheTestCase):
    settings = CacheSettings(streams=True, post="opt_in")

    def begin(self, end: bytes, dialect: str = "openai") -> HeldBody:
        api = self.an_api(dialect=dialect)
        responding = self.post(FRESH, api=api)
        body = HeldBody()
        self.answer(STREAM, body=body)
        self.got(responding)
        body.write(b'data: {"choices":[]}\n\n')
        body.write(end)
        body.end()
        self.api = api
        return body

    def stored(self) -> bool:
        return self.store.statistics()["entries"] == 1

    def test_replayed(self) -> None:
        """A complete stream is replayed as it came."""
        self.begin(b"data: [DONE]\n\n")
        hit = self.got(self.post(FRESH))
        self.assertEqual((hit.body, hit.told), (b'data: {"choices":[]}\n\ndata: [DONE]\n\n', b"llmproxy; hit; ttl=60"))
        self.assertEqual(hit.field(b"content-type"), b"text/event-stream")

    def test_ended_early(self) -> None:
        """One that ended in order, but without its last event, is not."""
        for end, dialect in ((b"", "openai"), (b"data: [DO", "openai"), (b"data: x\n\n", "anthropic"),
                             (b'event: error\ndata: {"type":"error"}\n\n', "proxy")):  # fmt: skip
            self.begin(end, dialect)
            self.assertFalse(self.stored(), (end, dialect))

    def test_last_events(self) -> None:
        """Each vendor's last event is known; for others a clean end has to do."""
        for end, dialect in (
            (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', "anthropic"),
            (b'event: response.completed\ndata: {"type":"response.completed"}\n\n', "openai"),
            (b'data: {"candidates":[{"finishReason":"STOP"}]}\r\n\r\n', "gemini"),
            (b"data: x\n\n", "proxy"),
        ):
            self.setUp()
            self.begin(end, dialect)
            self.assertTrue(self.stored(), (end, dialect))

    def test_not_asked_for(self) -> None:
        """Without the operator's word no stream is stored, and nobody waits for one."""
        api = self.an_api()
        api = evolve(api, settings=ApiSettings(cache=evolve(self.settings, streams=False)))
        asked = [self.post(FRESH, api=api), self.post(FRESH, api=api)]
        self.answer(STREAM, body=b"data: [DONE]\n\n")
        self.got(asked[0])
        self.assertEqual((len(self.inner.pending), self.stored()), (1, False))


class DropTests(CacheTestCase):
    def test_drop(self) -> None:
        """What is dropped keeps no connection."""
        body = HeldBody()
        drop(body)
        drop(None)
        self.assertEqual(body.calls, ["stopped"])

    def test_framing(self) -> None:
        """An answer that came in chunks goes to the one who fetched it in chunks, though it was here whole."""
        for fields in ((FRESH,), (b"Cache-Control: no-store",)):
            body = BytesBody(b"abc")
            body.length = UNKNOWN_LENGTH  # type: ignore[assignment]
            responding = self.send(target=b"/v1/%d" % len(fields[0]))
            self.answer(*fields, body=body)
            response = self.successResultOf(responding)
            assert response.body is not None
            self.assertIs(response.body.length, UNKNOWN_LENGTH)
            self.assertEqual(Answered(response).body, b"abc", fields)

    def test_content(self) -> None:
        """All of what is there is read."""
        self.assertEqual((content_of(BytesBody(b"abc")), content_of(BytesBody(b""))), (b"abc", b""))
