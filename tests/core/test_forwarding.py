"""Tests for L{llmproxy.core.forwarding}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import FORWARDING
from llmproxy.core.fields import CLIENT_ADDRESS_FIELDS
from llmproxy.core.forwarded import FORWARDED, trusted_proxies
from llmproxy.core.forwarding import Hop, element, forwarded_on
from llmproxy.message import Field

STRANGER = Hop("198.51.100.7", False, "198.51.100.7", "https", "llm.example", "https", "llm.example")
BEHIND = Hop("10.0.0.1", True, "203.0.113.9", "http", "inner:8080", "https", "llm.example")
ACCEPT = (b"Accept", b"*/*")
CLAIMS = [
    ACCEPT,
    (b"X-Forwarded-For", b"1.1.1.1"),
    (b"x-forwarded-for", b"203.0.113.9"),
    (b"X-Forwarded-Proto", b"ftp"),
    (b"X-Forwarded-Host", b"bank.example"),
    (b"X-Real-IP", b"1.1.1.1"),
    (b"CF-Connecting-IP", b"1.1.1.1"),
    (b"X-Envoy-External-Address", b"1.1.1.1"),
    (b"X-Forwarded-Client-Cert", b"Hash=0"),
]


class ForwardedOnTests(SynchronousTestCase):
    def test_strip(self) -> None:
        """Nothing of the client's address goes on, whoever says it."""
        everything = [(name, b"1.1.1.1") for name in sorted(CLIENT_ADDRESS_FIELDS)]
        for hop in (STRANGER, BEHIND):
            self.assertEqual(forwarded_on("strip", [ACCEPT, *everything], hop, True), [ACCEPT], hop)

    def test_pass(self) -> None:
        """What the client claims goes on as it came, and nothing is added."""
        for hop in (STRANGER, BEHIND):
            for fields in (CLAIMS, [ACCEPT], []):
                self.assertEqual(forwarded_on("pass", fields, hop, True), fields, fields)

    def test_set(self) -> None:
        """What the proxy knows itself stands in place of whatever came."""
        for hop, client in ((STRANGER, b"198.51.100.7"), (BEHIND, b"203.0.113.9")):
            expected = [
                ACCEPT,
                (b"X-Forwarded-For", client),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"llm.example"),
            ]
            self.assertEqual(forwarded_on("set", CLAIMS, hop), expected, (hop, client))
            self.assertEqual(forwarded_on("set", [ACCEPT], hop), expected, (hop, client))

    def test_append(self) -> None:
        """A chain grows by who connected; what has no chain is a stranger's claim, and is not handed on as ours."""
        self.assertEqual(
            forwarded_on("append", CLAIMS, STRANGER),
            [
                ACCEPT,
                (b"X-Forwarded-For", b"1.1.1.1, 203.0.113.9, 198.51.100.7"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"llm.example"),
            ],
        )
        self.assertEqual(
            forwarded_on("append", [ACCEPT], STRANGER),
            [
                ACCEPT,
                (b"X-Forwarded-For", b"198.51.100.7"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"llm.example"),
            ],
        )

    def test_append_behind_our_own(self) -> None:
        """What a trusted proxy wrote stays, and is completed."""
        self.assertEqual(
            forwarded_on("append", [(b"X-Real-IP", b"203.0.113.9"), (b"X-Forwarded-Proto", b"https")], BEHIND),
            [
                (b"X-Real-IP", b"203.0.113.9"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-For", b"10.0.0.1"),
                (b"X-Forwarded-Host", b"llm.example"),
            ],
        )

    def test_forwarded(self) -> None:
        """RFC 7239 section 4: C{Forwarded} says the same where the request has it, or our proxies write it."""
        came = [(b"Forwarded", b"for=1.1.1.1"), (b"forwarded", b'for="[2001:db8::1]"')]
        for fields, known, expected in (
            (came, False, b'for=1.1.1.1, for="[2001:db8::1]", for=198.51.100.7;proto=https;host=llm.example'),
            ([], True, b"for=198.51.100.7;proto=https;host=llm.example"),
        ):
            self.assertEqual(
                forwarded_on("append", fields, STRANGER, known)[-1], (b"Forwarded", expected), (fields, known)
            )
        for fields, known in ((came, False), ([], True)):
            self.assertEqual(
                [pair for pair in forwarded_on("set", fields, BEHIND, known) if pair[0] == b"Forwarded"],
                [(b"Forwarded", b"for=203.0.113.9;proto=https;host=llm.example")],
                (fields, known),
            )

    def test_unix(self) -> None:
        """Who connects to a Unix socket has no address: a chain says so, and nothing is made up."""
        hop = Hop("", False, "", "http", "", "http", "")
        self.assertEqual(
            forwarded_on("append", [], hop, True),
            [
                (b"X-Forwarded-For", b"unknown"),
                (b"X-Forwarded-Proto", b"http"),
                (b"Forwarded", b"for=unknown;proto=http"),
            ],
        )
        self.assertEqual(forwarded_on("set", [], hop), [(b"X-Forwarded-Proto", b"http")])

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(sorted(CLIENT_ADDRESS_FIELDS)),
                st.sampled_from([b"1.2.3.4", b"", b"for=x", b'for="', b"a, b"]),
            ),
            max_size=6,
        )
    )
    def test_set_is_the_last_word(self, claims: list[Field]) -> None:
        """No claim of a client changes what C{set} says."""
        found = forwarded_on("set", claims, STRANGER)
        self.assertEqual(
            {name: value for name, value in found if name == b"X-Forwarded-For"}, {b"X-Forwarded-For": b"198.51.100.7"}
        )
        self.assertLessEqual(
            {name for name, _ in found}, {b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"Forwarded"}
        )

    def test_modes(self) -> None:
        """Each mode that the configuration knows does something of its own."""
        made = {mode: tuple(forwarded_on(mode, CLAIMS, STRANGER)) for mode in FORWARDING}
        self.assertEqual(len(set(made.values())), 4)


class ElementTests(SynchronousTestCase):
    def test_read_again(self) -> None:
        """What is written is read by the reader of the same field, with every kind of address and host."""
        trusted = trusted_proxies(["10.0.0.0/8"], FORWARDED)
        assert trusted is not None
        for address, host in (
            ("203.0.113.9", "a.example"),
            ("2001:db8::1", "a.example:8080"),
            ("203.0.113.9", "[::1]:80"),
        ):
            fields = [(b"Forwarded", element(address, "https", host).encode())]
            self.assertEqual(trusted.client_of("10.1.1.1", fields), address, (address, host))
            self.assertEqual(trusted.address_named("10.1.1.1", fields), ("https", host), (address, host))
