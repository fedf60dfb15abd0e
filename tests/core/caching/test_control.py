"""What directives mean, however they are written."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.control import LONGEST, CacheControl, parse

from ...properties import examples

TABLE: list[tuple[list[bytes], CacheControl]] = [
    ([], CacheControl()),
    ([b""], CacheControl()),
    ([b"no-store"], CacheControl(no_store=True)),
    ([b"No-Store , PUBLIC"], CacheControl(no_store=True, public=True)),
    ([b"max-age=60"], CacheControl(max_age=60)),
    ([b'max-age="60"'], CacheControl(max_age=60)),
    ([b"max-age=0060"], CacheControl(max_age=60)),
    ([b"max-age=-1"], CacheControl(max_age=0)),
    ([b"max-age=1.5"], CacheControl(max_age=0)),
    ([b"max-age"], CacheControl(max_age=0)),
    ([b"max-age=60;private"], CacheControl(max_age=0)),
    ([b"max-age=99999999999999999999"], CacheControl(max_age=LONGEST)),
    ([b"max-age=2147483649"], CacheControl(max_age=LONGEST)),
    ([b"s-maxage=0"], CacheControl(s_maxage=0)),
    ([b"max-age=1, max-age=1"], CacheControl(max_age=1)),
    ([b"max-age=1, max-age=2"], CacheControl(max_age=1, conflicting=True)),
    ([b"max-age=60", b"no-store"], CacheControl(max_age=60, no_store=True)),
    ([b"no-cache"], CacheControl(no_cache=True)),
    ([b'no-cache="Set-Cookie, X-A"'], CacheControl(no_cache_fields=frozenset((b"set-cookie", b"x-a")))),
    ([b'no-cache="x", no-cache'], CacheControl(no_cache=True)),
    ([b'private="a", private="B"'], CacheControl(private_fields=frozenset((b"a", b"b")))),
    ([b"private=x"], CacheControl(private_fields=frozenset((b"x",)))),
    ([b'private=""'], CacheControl(private=True)),
    ([b"max-stale"], CacheControl(max_stale=LONGEST)),
    ([b"max-stale=5, min-fresh=7"], CacheControl(max_stale=5, min_fresh=7)),
    ([b"min-fresh=x"], CacheControl(min_fresh=LONGEST)),
    ([b"max-stale=x"], CacheControl(max_stale=0)),
    ([b'community="UCI, no-store"'], CacheControl()),
    ([b"no-cache-please, xno-store"], CacheControl()),
    ([b"must-revalidate,proxy-revalidate,must-understand,immutable"],
     CacheControl(must_revalidate=True, proxy_revalidate=True, must_understand=True, immutable=True)),
    ([b"stale-while-revalidate=3, stale-if-error=4"], CacheControl(stale_while_revalidate=3, stale_if_error=4)),
    ([b"private; max-age=60"], CacheControl(malformed=True)),
    ([b'public, x="'], CacheControl(public=True, malformed=True)),
    ([b"only-if-cached"], CacheControl(only_if_cached=True)),
]  # fmt: skip


class ControlTests(SynchronousTestCase):
    def test_each_form_is_read_as_the_rfc_says(self) -> None:
        """An upstream may write a directive in any of its forms."""
        for lines, expected in TABLE:
            self.assertEqual(parse(lines), expected, lines)

    def test_long_line_is_read_like_a_short_one(self) -> None:
        """A restriction behind a very long extension still holds."""
        self.assertTrue(parse([b'x="' + b"y" * 1000 + b'", no-store']).no_store)

    @settings(max_examples=examples(50), deadline=None)
    @given(st.lists(st.sampled_from([b"no-store", b"max-age=5", b'private="x,y"', b"public", b" , "]), max_size=6))
    def test_lines_and_commas_mean_the_same(self, members: list[bytes]) -> None:
        """RFC 9110 section 5.3: several lines are one list."""
        self.assertEqual(parse(members), parse([b",".join(members)]))

    @settings(max_examples=examples(50), deadline=None)
    @given(st.binary(max_size=60))
    def test_anything_can_be_read(self, line: bytes) -> None:
        """No value makes a request fail."""
        self.assertIsInstance(parse([line]), CacheControl)
