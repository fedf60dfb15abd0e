"""RFC 9111 section 3: what a shared cache stores of answers to requests with credentials."""

from __future__ import annotations

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.core.caching.control import parse
from llmproxy.core.caching.dates import format_date
from llmproxy.core.caching.entry import Used, pack, unpack
from llmproxy.core.caching.storing import (
    UNDERSTOOD,
    Request,
    Stored,
    freshened,
    is_complete_stream,
    retention,
    to_store,
)
from llmproxy.message import Field

NOW = 1_700_000_000.0
DATE: Field = (b"Date", format_date(NOW))
PLAIN = CacheSettings()


def stored(
    control: bytes,
    *fields: Field,
    status: int = 200,
    asked: bytes = b"",
    lifetime: float | None = None,
    settings: CacheSettings = PLAIN,
) -> Stored | None:
    lines = [(b"Cache-Control", control)] if control else []
    request = Request(parse([asked]), lifetime)
    return to_store(request, status, b"OK", [DATE, *lines, *fields], NOW, NOW, settings)


EXPIRES = (b"Expires", format_date(NOW + 60))

CASES: list[tuple[bool, bytes, list[Field]]] = [
    (True, b"public, max-age=60", []),
    (True, b"s-maxage=60", []),
    (True, b"must-revalidate, max-age=60", []),
    (True, b"public", [EXPIRES]),
    (False, b"max-age=60", []),
    (False, b"", [EXPIRES]),
    (False, b"", []),
    (False, b"public", []),
    (False, b"public, max-age=60, no-store", []),
    (False, b"public, max-age=60, private", []),
    (False, b'public, max-age=60, private="x", private', []),
    (True, b'public, max-age=60, private="x"', []),
    (False, b"public, max-age=0", []),
    (True, b"public, max-age=0", [(b"ETag", b'"a"')]),
    (True, b"public, no-cache", [(b"ETag", b'"a"'), EXPIRES]),
    (True, b"public, no-cache", [(b"ETag", b'"a"')]),
    (True, b"public", [(b"ETag", b'"a"')]),
    (False, b"", [(b"ETag", b'"a"')]),
    (False, b"public, max-age=60, no-cache", []),
    (False, b"public, max-age=60; private", []),
    (False, b"public, max-age=60", [(b"Vary", b"*")]),
    (False, b"public, max-age=60", [(b"Set-Cookie", b"a=b")]),
    (True, b'public, max-age=60, no-cache="set-cookie"', [(b"Set-Cookie", b"a=b")]),
    (False, b"public, max-age=60", [(b"Content-Type", b"text/event-stream; charset=utf-8")]),
    (True, b"public, max-age=60, must-understand, no-store", []),
    (True, b"private", [(b"CDN-Cache-Control", b"public, max-age=9")]),
    (False, b"public, max-age=60", [(b"CDN-Cache-Control", b"no-store")]),
    (True, b"public, max-age=60", [(b"CDN-Cache-Control", b"no-store,")]),
    (True, b"public", [(b"Last-Modified", format_date(NOW - 1000))]),
    (False, b"", [(b"Last-Modified", format_date(NOW - 1000))]),
    (False, b"public, max-age=60", [(b"Age", b"61")]),
]


class StoringTests(SynchronousTestCase):
    def test_each_rule(self) -> None:
        """Nothing is kept that upstream did not permit to keep."""
        for expected, control, fields in CASES:
            self.assertEqual(stored(control, *fields) is not None, expected, (control, fields))

    def test_statuses(self) -> None:
        """Section 3: any final status with explicit freshness is stored, but no part and no 304."""
        for status in range(100, 600):
            found = stored(b"public, max-age=60", status=status)
            self.assertEqual(found is not None, status >= 200 and status not in (206, 304), status)
        self.assertIsNotNone(stored(b"public", (b"Expires", format_date(NOW + 60)), status=503))

    def test_statuses_without_freshness(self) -> None:
        """What a failing server says, and what says that one caller asked too often, needs it said in so many words."""
        tag, modified = (b"ETag", b'"a"'), (b"Last-Modified", format_date(NOW - 10_000))
        settings = CacheSettings(default_ttl=60.0)
        for status in (299, 400, 408, 429, 499, 500, 502, 503, 504, 599):
            for control in (b"public", b"public, max-age=0", b"must-revalidate", b""):
                found = stored(control, tag, modified, status=status, settings=settings)
                self.assertIsNone(found, (status, control))
        self.assertFalse({206, 304, 408, 429, 500, 502, 503, 504} & UNDERSTOOD)

    def test_must_understand(self) -> None:
        """Section 5.2.2.3: only a status that is known."""
        for status, expected in ((200, True), (404, True), (429, False), (599, False)):
            found = stored(b"public, max-age=60, must-understand, no-store", status=status)
            self.assertEqual(found is not None, expected, status)

    def test_request_forbids(self) -> None:
        """Section 5.2.1.5: a client's no-store holds."""
        self.assertIsNone(stored(b"public, max-age=60", asked=b"no-store"))

    def test_client_cannot_permit(self) -> None:
        """W2: what a client says about a GET makes nothing cacheable."""
        self.assertIsNone(stored(b"", asked=b"public, max-age=60"))

    def test_default_lifetime_needs_permission(self) -> None:
        """HTTP_CACHE_DEFAULT_TTL fills a gap, it overrides nothing."""
        settings = CacheSettings(default_ttl=30)
        self.assertIsNone(stored(b"", settings=settings))
        self.assertIsNone(stored(b"public, no-store", settings=settings))
        found = stored(b"public", settings=settings)
        assert found is not None
        self.assertEqual(found.entry.lifetime, 30)

    def test_shared_scope_wants_it_said(self) -> None:
        """Projects share only what upstream calls public, or gives a lifetime for shared caches."""
        shared = CacheSettings(scope="shared")
        self.assertIsNone(stored(b"must-revalidate, max-age=60", settings=shared))
        self.assertIsNotNone(stored(b"s-maxage=60", settings=shared))

    def test_opted_in_post(self) -> None:
        """The client gives the lifetime; no-store and private of upstream win, a shorter lifetime too."""
        found = stored(b"", lifetime=100.0)
        assert found is not None
        self.assertEqual((found.entry.lifetime, found.entry.never_stale), (100.0, True))
        shorter = stored(b"max-age=5", lifetime=100.0)
        assert shorter is not None
        self.assertEqual(shorter.entry.lifetime, 5)
        self.assertIsNone(stored(b"no-store", lifetime=100.0))
        self.assertIsNone(stored(b"private", lifetime=100.0))

    def test_streams_when_configured(self) -> None:
        """HTTP_CACHE_STREAM_RESPONSES."""
        stream = (b"Content-Type", b"text/event-stream")
        self.assertIsNotNone(stored(b"public, max-age=60", stream, settings=CacheSettings(streams=True)))

    def test_fields_of_one_caller_are_left_out(self) -> None:
        """What was made for the first caller does not reach the second; the rest is kept byte for byte."""
        own = [(b"X-Request-Id", b"1"), (b"Access-Control-Allow-Origin", b"https://a"), (b"openai-organization", b"o"),
               (b"X-RateLimit-Remaining-Tokens", b"1"), (b"Connection", b"x-hop"), (b"X-Hop", b"1"), (b"Age", b"1"),
               (b"Warning", b"110 - stale"), (b"Proxy-Authenticate", b"x"), (b"X-Private", b"1")]  # fmt: skip
        kept = [(b"Content-Type", b"text/plain"), (b"X-Other", b" odd ")]
        found = stored(b'public, max-age=60, private="x-private"', *own, *kept)
        assert found is not None
        self.assertEqual(found.entry.fields[0], DATE)
        self.assertEqual(found.entry.fields[2:], kept)

    def test_answer_without_date_gets_one(self) -> None:
        """RFC 9110 section 6.6.1."""
        request = Request(parse([]))
        found = to_store(request, 200, b"", [(b"Cache-Control", b"s-maxage=9")], NOW, NOW, PLAIN)
        assert found is not None
        self.assertEqual(found.entry.field(b"date"), format_date(NOW))

    def test_entry_survives_packing(self) -> None:
        """What a store gives back is what it was given; garbage is nothing."""
        found = stored(b"public, max-age=60", (b"ETag", b'"\xff"'))
        assert found is not None
        self.assertEqual(unpack(pack(found.entry)), found.entry)
        for garbage in (b"", b"\xff", pack(found.entry)[:-1], b"\x90", b"{}"):
            self.assertIsNone(unpack(garbage), garbage)

    def test_retention(self) -> None:
        """Kept as long as it can be of use: fresh, served stale, or validated."""
        settings = CacheSettings(keep_stale=500)
        for control, fields, expected in (
            (b"public, max-age=60", (), 560),
            (b"public, max-age=60, stale-if-error=900, stale-while-revalidate=10", (), 960),
            (b"public, s-maxage=60", (), 60),
            (b"public, no-cache", ((b"ETag", b'"a"'),), 500),
            (b"public, max-age=60, stale-if-error=30, must-revalidate", (), 60),
            (b"public, max-age=60", ((b"ETag", b'"a"'),), 560),
            (b"public, max-age=60, no-cache", ((b"ETag", b'"a"'),), 500),
        ):
            found = stored(control, *fields)
            assert found is not None
            self.assertEqual(retention(found.entry, NOW, settings), expected, control)


class FresheningTests(SynchronousTestCase):
    def entry(self, *fields: Field) -> Stored:
        found = stored(b"public, max-age=60", (b"ETag", b'"a"'), (b"Content-Length", b"4"), (b"X-A", b"1"), *fields)
        assert found is not None
        return found

    def test_fields_are_replaced(self) -> None:
        """Section 3.2: what a 304 says counts, but for what describes the stored bytes."""
        later = [(b"Date", format_date(NOW + 90)), (b"X-A", b"2"), (b"Content-Length", b"0"), (b"X-Request-Id", b"9")]
        later += [(b"Content-MD5", b"x"), (b"Content-Digest", b"x"), (b"Repr-Digest", b"x")]
        later += [(b"Content-Encoding", b"gzip"), (b"Content-Type", b"text/plain;charset=utf-8")]
        made = freshened(self.entry().entry, later, NOW + 90, NOW + 90, PLAIN)
        assert made is not None
        self.assertEqual(made.field(b"x-a"), b"2")
        self.assertEqual(made.field(b"content-length"), b"4")
        for name in (b"content-encoding", b"content-md5", b"content-digest", b"repr-digest"):
            self.assertIsNone(made.field(name), name)
        self.assertEqual(made.field(b"content-type"), b"text/plain;charset=utf-8")
        self.assertIsNone(made.field(b"x-request-id"))
        self.assertEqual(made.fresh_for(NOW + 90), 60)

    def test_use_is_kept(self) -> None:
        """What the content had used when it came is still what it saves."""
        used = Used(7, output_tokens=8)
        made = freshened(replace(self.entry().entry, used=used), [], NOW + 90, NOW + 90, PLAIN)
        self.assertEqual(made and made.used, used)

    def test_upstream_can_take_back(self) -> None:
        """A 304 with no-store ends the storing."""
        for control in (b"no-store", b"private", b"max-age=60"):
            later = [(b"Cache-Control", control)]
            self.assertIsNone(freshened(self.entry().entry, later, NOW, NOW, PLAIN), control)

    def test_304_without_date_is_new(self) -> None:
        """It was generated when it came, as far as anybody knows."""
        made = freshened(self.entry().entry, [], NOW + 90, NOW + 90, PLAIN)
        assert made is not None
        self.assertEqual(made.age(NOW + 90), 0)


class StreamTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """A stream that ends within an event, or with an error, is never replayed."""
        for tail, expected in (
            (b'data: {"x":1}\n\ndata: [DONE]\n\n', True),
            (b"event: message_stop\r\ndata: {}\r\n\r\n", True),
            (b'data: {"x":1}\n\ndata: [DO', False),
            (b'data: {"x":1}\n', False),
            (b"", False),
            (b'event: error\ndata: {"type":"error"}\n\n', False),
            (b'data: {"error": {"message": "x"}}\n\n', False),
        ):
            self.assertEqual(is_complete_stream(tail), expected, tail)
