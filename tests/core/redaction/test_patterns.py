"""Built-in patterns of what belongs to persons."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.redaction.patterns import BUILT_IN, MARK
from tests.tables import row

FOUND = (
    ("email", "jo@example.com"),
    ("email", "Jo.Doe+x_y@mail.exämple.co.uk"),
    ("email", "o'neil@example.museum"),
    ("email", "jo%40example.com"),
    ("card", "4111111111111111"),
    ("card", "4111 1111 1111 1111"),
    ("card", "4111-1111-1111-1111"),
    ("card", "378282246310005"),
    ("card", "5555.5555.5555.4444"),
    ("card", "6011000990139424"),
    ("phone", "+49 (0)171 1234567"),
    ("phone", "+4915112345678"),
    ("phone", "0049 151 12345678"),
    ("phone", "0171/1234567"),
    ("phone", "(415) 555-2671"),
    ("phone", "415-555-2671"),
    ("phone", "1-415-555-2671"),
    ("phone", "06 12 34 56 78"),
    ("phone", "020 7946 0958"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB29NWBK60161331926819"),
    ("iban", "nl91abna0417164300"),
    ("iban", "NO93-8601-1117-947"),
    ("ip", "10.0.0.1"),
    ("ip", "255.255.255.255"),
    ("ip", "2001:db8::1"),
    ("ip", "::1"),
    ("ip", "::ffff:10.1.2.3"),
    ("ip", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
    ("ssn", "123-45-6789"),
    ("ssn", "123 45 6789"),
    ("mac", "00:1A:2b:3c:4d:5e"),
    ("mac", "00-1A-2b-3c-4d-5e"),
    ("url", "https://a.example/b?c=d"),
    ("url", "postgres://u:p@host/db"),
    ("uuid", "7669dcc4-c994-44f9-9dc3-9de38ae720eb"),
)

LEFT = (
    ("email", "@example.com and me@home or a @ b.com"),
    ("card", "1732968000000 4111111111111112 12345678901234567890123"),
    ("card", "version 2.3.4.5.6.7"),
    ("phone", "2026-11-30 12:30 1.2.3 0.1234567 12345678901 a0171234567b"),
    ("iban", "DE89 3704 0044 0532 0130 01, ABCDEFGHIJKLMNOP1234"),
    ("ip", "1.2.3 256.1.1.1 1.2.3.4.5 12:30:45 std::vector a.b.c.d"),
    ("ssn", "000-12-3456 666-12-3456 123-00-4567 123-45-0000 123-456789 2026-11-30"),
    ("mac", "00:1A:2b:3c:4d 12:30:45"),
    ("url", "https: //a.example mailto:x"),
    ("uuid", "7669dcc4-c994-44f9-9dc3-9de38ae720e"),
)

AROUND = (("", ""), ("to ", " please"), ("(", ")"), ('"', '"'), ("x: ", "."), ("\n", "\n"), ("a, ", ", b"), (">", "<"))


class PatternTests(SynchronousTestCase):
    def test_found(self) -> None:
        """What each pattern is for is taken out, whatever stands around it, and nothing of that."""
        for name, text in FOUND:
            for before, behind in AROUND:
                if name == "url" and behind == ".":
                    continue
                with row(name, before + text + behind):
                    shown = BUILT_IN[name](before + text + behind)
                    if name != "url" and (name, before) != ("phone", "("):
                        self.assertEqual(shown, before + MARK + behind)
                    self.assertNotIn(text, shown)

    def test_left(self) -> None:
        """What only looks a little like it stays."""
        for name, text in LEFT:
            with row(name, text):
                self.assertEqual(BUILT_IN[name](text), text)

    def test_every_pattern(self) -> None:
        """No pattern is without both."""
        self.assertEqual({name for name, _ in FOUND}, set(BUILT_IN))
        self.assertEqual({name for name, _ in LEFT}, set(BUILT_IN))

    def test_several(self) -> None:
        """One behind the other, and with more digits behind, each is found."""
        cards = "4111 1111 1111 1111 123 and 5500005555555559 4111-1111-1111-1111 5500005555555559"
        self.assertEqual(BUILT_IN["card"](cards), f"{MARK} 123 and {MARK} {MARK} {MARK}")
        ibans = "DE89 3704 0044 0532 0130 00 GB29NWBK60161331926819 de89370400440532013000 and on"
        self.assertEqual(BUILT_IN["iban"](ibans), f"{MARK} {MARK} {MARK} and on")

    @given(st.integers(min_value=0, max_value=10**15 - 1), st.sampled_from("23456"))
    def test_every_card(self, number: int, first: str) -> None:
        """Whatever passes Luhn's check is found, and nothing else is."""
        for check in "0123456789":
            digits = f"{first}{number:014d}"[:15] + check
            doubled = [int(each) * (2 - at % 2) for at, each in enumerate(digits)]
            is_card = sum(each - 9 * (each > 9) for each in doubled) % 10 == 0
            self.assertEqual(BUILT_IN["card"](digits), MARK if is_card else digits, digits)

    def test_hostile(self) -> None:
        """A text that begins what never ends takes no more than a moment for each of its characters."""
        for begun in (
            "a",
            "1",
            "1 ",
            "2 ",
            "@",
            "a@",
            "a.",
            "0",
            ":",
            "a:",
            "+",
            "1.1.",
            "DE12",
            "DE12 ",
            "a@a.",
            "+1(",
            "(01",
            "00",
            "://",
            "a://",
            "00:",
            "-",
            "1-",
            "0000-",
        ):
            text = begun * (100_000 // len(begun))
            for name, clean in BUILT_IN.items():
                begin = time.perf_counter()
                clean(text)
                with row(name, begun):
                    self.assertLess(time.perf_counter() - begin, 5)
