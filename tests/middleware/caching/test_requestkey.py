"""Keys of bare requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.message import Field
from llmproxy.middleware.caching.requestkey import cache_key_from_request as key
from llmproxy.middleware.caching.requestkey import cache_key_from_request_with_vary as key_with_vary

from ..fakes import PRINCIPAL, HeldBody, a_request, an_api


def bare(target: bytes = b"/v1/x", *fields: Field, method: bytes = b"GET", body: bytes | None = None) -> str:
    return key(a_request(method, target, list(fields), None if body is None else BytesBody(body)))


class KeyTests(SynchronousTestCase):
    def test_bare(self) -> None:
        """A request that nobody has routed or authenticated has a key, and the same one each time."""
        self.assertEqual(bare(), bare())
        self.assertRegex(bare(), "^[0-9a-f]{64}$")

    def test_same(self) -> None:
        """What says nothing of the answer changes nothing."""
        for one, other in (
            (bare(b"/x?b=2&a=1"), bare(b"/x?a=1&b=2")),
            (bare(b"/x", (b"Accept", b"a ")), bare(b"/x", (b"accept", b"a"))),
            (bare(b"/x", (b"User-Agent", b"a")), bare(b"/x")),
            (bare(b"/x", (b"Cache-Control", b"public, max-age=5")), bare(b"/x")),
            (bare(b"/x?"), bare(b"/x")),
        ):
            self.assertEqual(one, other, (one, other))

    def test_different(self) -> None:
        """What may change the answer changes the key; no two of these are one."""
        opted = (b"Cache-Control", b"public, max-age=5")
        keys = [
            bare(b"/x"),
            bare(b"/x/"),
            bare(b"/%78"),
            bare(b"/x?a=1&a=2"),
            bare(b"/x?a=2&a=1"),
            bare(b"/x?a=1,2"),
            bare(b"/x", (b"Accept", b"a")),
            bare(b"/x", (b"Accept", b"")),
            bare(b"/x", (b"Accept-Encoding", b"a")),
            bare(b"/x", (b"Accept-Language", b"a")),
            bare(b"/x", (b"X-Body-Hash", b"00")),
            bare(b"/x", method=b"HEAD"),
            bare(b"/x", method=b"POST"),
            bare(b"/x", method=b"POST", body=b""),
            bare(b"/x", method=b"POST", body=b"a"),
            bare(b"/x", opted, method=b"POST", body=b"a"),
            bare(b"/x", (b"Cache-Control", b"public, s-maxage=5"), method=b"POST", body=b"a"),
            bare(b"/x", (b"Cache-Control", b"public, max-age=6"), method=b"POST", body=b"a"),
            key(a_request(b"GET", b"/x", api=an_api("one"))),
            key(a_request(b"GET", b"/x", api=an_api("other"))),
            key(a_request(b"GET", b"/x", principal=PRINCIPAL)),
        ]
        self.assertEqual(len(set(keys)), len(keys))

    def test_claimed_hash(self) -> None:
        """What a client claims of a body that is here is not believed."""
        claim = (b"X-Body-Hash", b"00")
        self.assertEqual(bare(b"/x", claim, body=b"a"), bare(b"/x", body=b"a"))
        self.assertNotEqual(key(a_request(fields=[claim], body=HeldBody())), key(a_request(body=HeldBody())))

    def test_vary(self) -> None:
        """The value of the field names what counts; an empty one and C{*} are the usual three."""
        request = a_request(b"GET", b"/x", [(b"Accept", b"a"), (b"X-Team", b"b")])
        for vary in ("", " ", "*", "Accept, *", b"", b"*", ","):
            with self.subTest(vary=vary):
                self.assertEqual(key_with_vary(request, vary), key(request), vary)
        usual = "Accept, Accept-Encoding, Accept-Language"
        self.assertEqual(key_with_vary(request, usual), key(request))
        self.assertEqual(key_with_vary(request, "x-team,ACCEPT"), key_with_vary(request, b"Accept, X-Team"))
        self.assertNotEqual(key_with_vary(request, "X-Team"), key_with_vary(request, "Accept"))
        self.assertEqual(key_with_vary(request, "X-Absent"), key_with_vary(request, "X-Other"))

    @given(
        st.lists(st.tuples(st.sampled_from([b"a", b"b", b"a:1,"]), st.sampled_from([b"", b"1", b"1,1:a"])), max_size=3)
    )
    def test_no_ambiguity(self, fields: list[Field]) -> None:
        """Fields that differ in what C{Vary} names never have one key, whatever their values imitate."""
        vary = b"a, b"
        found = {name: b",".join(v for n, v in fields if n == name) for name, _ in fields if name in (b"a", b"b")}
        for other in ([], [(b"a", b"1")], [(b"a", b"1,1:a")], [(b"b", b"1")]):
            same = found == dict(other)
            one = key_with_vary(a_request(fields=fields), vary)
            self.assertEqual(one == key_with_vary(a_request(fields=list(other)), vary), same, other)
