"""Whose request it is, where proxies of our own stand in front."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.forwarded import MAX_HOPS, TrustedProxies, address_of, forwarded_for, trusted_proxies
from llmproxy.message import Field

from ..properties import examples
from ..tables import row


def trusting(*texts: str, field: str = "x-forwarded-for") -> TrustedProxies:
    found = trusted_proxies(texts, field)
    assert found is not None
    return found


OURS = trusting("10.0.0.0/8", "fd00::/8", "192.0.2.7")


def fields(*values: str, name: bytes = b"X-Forwarded-For") -> list[Field]:
    return [(name, value.encode("latin-1")) for value in values]


class ClientTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The address that the outermost proxy of ours saw."""
        for peer, values, client in (
            ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", ["203.0.113.5, 10.0.0.2"], "203.0.113.5"),
            ("10.0.0.1", ["203.0.113.5", "192.0.2.7"], "203.0.113.5"),
            ("10.0.0.1", ["203.0.113.5:4711"], "203.0.113.5"),
            ("fd00::1", ["[2001:db8::1]:80"], "2001:db8::1"),
            ("10.0.0.1", ["2001:DB8:0::1"], "2001:db8::1"),
            ("::ffff:10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", [], "10.0.0.1"),
            ("10.0.0.1", [""], "10.0.0.1"),
            ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ):
            self.assertEqual(OURS.client_of(peer, fields(*values)), client, (peer, values))

    def test_forged(self) -> None:
        """What a client writes himself is not believed, whether he comes through our proxies or not."""
        self.assertEqual(OURS.client_of("203.0.113.9", fields("127.0.0.1")), "203.0.113.9")
        self.assertEqual(OURS.client_of("10.0.0.1", fields("127.0.0.1, 203.0.113.9")), "203.0.113.9")
        self.assertEqual(OURS.client_of("10.0.0.1", fields("127.0.0.1", "203.0.113.9")), "203.0.113.9")
        forged = fields("for=127.0.0.1", name=b"Forwarded")
        self.assertEqual(OURS.client_of("10.0.0.1", [*forged, *fields("203.0.113.9")]), "203.0.113.9")

    def test_no_address(self) -> None:
        """Behind what is no address nothing is known; the last one that is known is told."""
        for values in (["203.0.113.5, unknown"], ["203.0.113.5, _hidden, 10.0.0.2"], ["203.0.113.5, 999.1.1.1"]):
            self.assertTrue(OURS.client_of("10.0.0.1", fields(*values)).startswith("10.0.0."), values)

    def test_forwarded(self) -> None:
        """RFC 7239 with quotes, brackets, ports and names in any case."""
        ours = trusting("10.0.0.0/8", field="Forwarded")
        for value, client in (
            ("for=203.0.113.5", "203.0.113.5"),
            ('For="[2001:db8::1]:4711";proto=https;by=10.0.0.1', "2001:db8::1"),
            ("for=198.51.100.1, for=203.0.113.5;host=x, for=10.0.0.2", "203.0.113.5"),
            ('for="1.1.1.1, for=9.9.9.9", for=203.0.113.5', "203.0.113.5"),
            ("proto=http", "10.0.0.1"),
            ("for=203.0.113.5, for=_secret", "10.0.0.1"),
            ("for", "10.0.0.1"),
        ):
            self.assertEqual(ours.client_of("10.0.0.1", fields(value, name=b"forwarded")), client, value)
        self.assertEqual(ours.client_of("10.0.0.1", fields("1.1.1.1")), "10.0.0.1")

    def test_unix(self) -> None:
        """Whoever connects to a Unix socket is believed only if that was said."""
        self.assertEqual(trusting("unix").client_of("", fields("203.0.113.5")), "203.0.113.5")
        self.assertEqual(OURS.client_of("", fields("203.0.113.5")), "")

    def test_many(self) -> None:
        """A list without end costs no more than a long one."""
        text = ", ".join(["10.0.0.2"] * 5000)
        self.assertEqual(OURS.client_of("10.0.0.1", fields("1.1.1.1, " + text)), "10.0.0.2")
        self.assertEqual(OURS.client_of("10.0.0.1", fields("1.1.1.1" + ", 10.0.0.2" * (MAX_HOPS - 1))), "1.1.1.1")

    @settings(max_examples=examples(80), deadline=None)
    @given(st.text(st.characters(max_codepoint=255), max_size=60), st.sampled_from(("x-forwarded-for", "forwarded")))
    def test_anything(self, value: str, field: str) -> None:
        """Whatever stands there, the answer is an address."""
        client = trusting("10.0.0.0/8", field=field).client_of("10.0.0.1", fields(value, name=field.encode()))
        assert address_of(client) == client


class ConfiguredTests(SynchronousTestCase):
    def test_none(self) -> None:
        self.assertIsNone(trusted_proxies([]))

    def test_wrong(self) -> None:
        """A name, a network with bits of a host, or another field is an error, not something that trusts nobody."""
        for texts, field in ((["localhost"], "forwarded"), (["10.0.0.1/8"], "forwarded"), (["unix"], "x-real-ip")):
            with row(texts):
                self.assertRaises(ValueError, trusted_proxies, texts, field)

    def test_elements(self) -> None:
        self.assertEqual(forwarded_for('for="a\\"b", , for=;x=y, =;'), ['a"b', "unknown", "unknown"])
