"""No two requests that upstream could answer differently have one key."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.key import (
    Key,
    content_digest,
    primary_key,
    secondary_key,
    vary_names,
)

from ...properties import examples
from .requests import api, request

PARTS = st.tuples(
    st.text(max_size=6), st.text(max_size=6), st.sampled_from([b"GET", b"POST"]), st.binary(max_size=8),
    st.binary(max_size=4),
)  # fmt: skip


class KeyTests(SynchronousTestCase):
    @settings(max_examples=examples(50), deadline=None)
    @given(PARTS, PARTS)
    def test_different_parts_make_different_digests(self, one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
        """API, tenant, method, target and body cannot flow into each other."""
        self.assertEqual(Key(*one).digest == Key(*other).digest, one == other)

    @settings(max_examples=examples(50), deadline=None)
    @given(st.text(min_size=1, max_size=6), st.text(min_size=1, max_size=6), st.binary(max_size=10))
    def test_no_two_projects_share_a_key(self, one: str, other: str, target: bytes) -> None:
        """Whatever two projects ask for, they meet only where they are one."""
        keys = [primary_key(request(b"/" + target, project=name)) for name in (one, other)]
        self.assertEqual(keys[0].digest == keys[1].digest, one == other)

    def test_target_is_exact(self) -> None:
        """An encoded slash is no slash, and the order of parameters counts."""
        targets = (b"/a/b", b"/a%2Fb", b"/a/b?", b"/a/b?x=1&y=2", b"/a/b?y=2&x=1", b"/a/b?x=1%26y%3D2")
        digests = {primary_key(request(target)).digest for target in targets}
        self.assertEqual(len(digests), len(targets))

    def test_credential_in_query_is_no_part(self) -> None:
        """Two tokens of one project share what is stored, and no token is filed."""
        key = primary_key(request(b"/a?x=1&key=sk-AAAAAAAAAAAAAAAAAAAAAA&y=2"))
        self.assertEqual(key.target, b"/a?x=1&y=2")
        self.assertEqual(key.digest, primary_key(request(b"/a?x=1&y=2")).digest)

    def test_parameter_that_upstream_sees(self) -> None:
        """C{key} that goes on to upstream tells one answer from another, as any parameter does."""
        keys = {primary_key(request(target)).digest for target in (b"/a?key=1", b"/a?key=2", b"/a")}
        self.assertEqual(len(keys), 3)


class VaryTests(SynchronousTestCase):
    def variant(self, *lines: bytes, name: bytes = b"accept-encoding", project: str = "p1") -> bytes:
        fields = [(name.title(), line) for line in lines]
        return secondary_key(request(b"/", fields, project=project), (name,))

    def test_names(self) -> None:
        """All lines count; a star matches nothing; too many names are not worth it."""
        self.assertEqual(vary_names([]), ())
        self.assertEqual(vary_names([(b"Vary", b"Accept, origin"), (b"vary", b"ACCEPT")]), (b"accept", b"origin"))
        self.assertIsNone(vary_names([(b"Vary", b"accept"), (b"Vary", b"*")]))
        self.assertIsNone(vary_names([(b"Vary", b",".join(b"x%d" % n for n in range(17)))]))

    def test_preferences_are_compared_by_meaning(self) -> None:
        """The order of encodings costs no second copy."""
        self.assertEqual(self.variant(b"gzip, br"), self.variant(b"BR,gzip"))
        self.assertEqual(self.variant(b"gzip", b"br"), self.variant(b"gzip, br"))
        self.assertNotEqual(self.variant(b"gzip"), self.variant(b"gzip;q=0"))
        self.assertNotEqual(self.variant(b"gzip"), self.variant())
        self.assertNotEqual(self.variant(b""), self.variant())

    def test_other_fields_are_compared_exactly(self) -> None:
        """Order may mean something in a field that we do not know."""
        self.assertNotEqual(self.variant(b"a, b", name=b"x-f"), self.variant(b"b, a", name=b"x-f"))
        self.assertEqual(self.variant(b"a,b", name=b"x-f"), self.variant(b"a , b", name=b"x-f"))

    def test_values_cannot_flow_into_each_other(self) -> None:
        """W4: one field that looks like two is not two."""
        names = (b"accept", b"x-f")
        one = secondary_key(request(b"/", [(b"Accept", b"x"), (b"X-F", b"gzip")]), names)
        other = secondary_key(request(b"/", [(b"Accept", b"x|x-f:gzip")]), names)
        self.assertNotEqual(one, other)

    def test_credential_stands_for_its_project(self) -> None:
        """Upstream sees the project's key, whichever token a client used."""
        self.assertEqual(self.variant(b"t1", name=b"authorization"), self.variant(b"t2", name=b"authorization"))
        self.assertNotEqual(
            self.variant(b"t1", name=b"authorization"), self.variant(b"t1", name=b"authorization", project="p2")
        )
        self.assertEqual(api().upstreams[0].credential.name, b"Authorization")


class ContentTests(SynchronousTestCase):
    def digest(self, *fields: tuple[bytes, bytes], content: bytes = b"{}") -> bytes:
        return content_digest(request(b"/v1/chat/completions", list(fields), method=b"POST"), content)

    def test_what_counts(self) -> None:
        """The content, and every field that may bear on the answer, known or not."""
        plain = self.digest()
        self.assertNotEqual(self.digest(content=b"{ }"), plain)
        for name in (b"Content-Type", b"Accept", b"Accept-Encoding", b"OpenAI-Organization", b"OpenAI-Beta",
                     b"anthropic-version", b"Cookie", b"X-Whatever", b"X-Body-Hash"):  # fmt: skip
            self.assertNotEqual(self.digest((name, b"1")), plain, name)

    def test_what_does_not(self) -> None:
        """Who sends it, by which way, and the how-manieth time."""
        plain = self.digest()
        for name in (b"User-Agent", b"X-Request-ID", b"Idempotency-Key", b"X-Stainless-Retry-Count", b"x-api-key",
                     b"Content-Length", b"Traceparent", b"X-Forwarded-For", b"Cache-Control"):  # fmt: skip
            self.assertEqual(self.digest((name, b"1")), plain, name)

    def test_order_and_case(self) -> None:
        """Neither the order of fields nor the case of their names."""
        one = self.digest((b"Accept", b"a"), (b"X-B", b"b"))
        self.assertEqual(self.digest((b"x-b", b"b"), (b"ACCEPT", b"a")), one)

    @settings(max_examples=examples(50), deadline=None)
    @given(st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=9), st.binary(max_size=9))
    def test_nothing_flows_over(self, content: bytes, other: bytes, value: bytes, another: bytes) -> None:
        """Different contents and different values never meet."""
        value, another = value.strip(b" \t"), another.strip(b" \t")
        if b"," in value + another:
            return
        same = (content, value) == (other, another)
        one = self.digest((b"X-A", value), content=content)
        self.assertEqual(self.digest((b"X-A", another), content=other) == one, same)
