"""Limits as people state them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits import stated
from llmproxy.usagelimits import UsageLimits

from ...tables import row


class ValueTests(SynchronousTestCase):
    def test_good(self) -> None:
        """What each field takes, and what it is kept as."""
        table: tuple[tuple[Callable[[str], Any], str, Any], ...] = (
            (stated.amount, "50", Decimal(50)),
            (stated.amount, "0.000001", Decimal("0.000001")),
            (stated.amount, "0", Decimal(0)),
            (stated.count, "0", 0),
            (stated.count, "9007199254740991", 2**53 - 1),
            (stated.duration, "total", "total"),
            (stated.model, "gpt-4o*", "gpt-4o*"),
            (stated.source, "10.0.0.0/8", "10.0.0.0/8"),
            (stated.source, "10.1.2.3", "10.1.2.3"),
            (stated.source, "2001:DB8::/32", "2001:db8::/32"),
            (stated.source, "2001:db8:0::1", "2001:db8::1"),
        )
        for rule, text, expected in table:
            with row(rule.__name__, text):
                self.assertEqual(rule(text), expected)

    def test_bad(self) -> None:
        """What is no such value is refused in words that name what is expected."""
        table: tuple[tuple[Callable[[str], Any], str], ...] = (
            *(
                (stated.amount, text)
                for text in ("", "-1", "1e3", "$5", "5 USD", ".5", "NaN", "1,5", "5\n", "٣", "1" * 13)
            ),
            *((stated.count, text) for text in ("", "-1", "1.5", "9007199254740992", "١")),
            *((stated.duration, text) for text in ("", "1x", "weekly")),
            *((stated.model, text) for text in ("", " ", "a\nb", "x" * 201)),
            *((stated.source, text) for text in ("", "localhost", "10.0.0.0/33", "10.0.0.1/8", "10.0.0", "unix")),
        )
        for rule, text in table:
            with row(rule.__name__, text):
                self.assertIn("expected", str(self.assertRaises(ValueError, rule, text)))

    def test_network_is_named(self) -> None:
        """An address with the bits of a network is answered with the network that was meant."""
        self.assertIn("10.0.0.0/8", str(self.assertRaises(ValueError, stated.source, "10.0.0.1/8")))


class ContradictionTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What cannot hold is refused; what defaults may complete is not."""
        for values, with_defaults, without in (
            ({"max_budget": Decimal(5), "soft_budget": Decimal(5)}, [], []),
            ({"max_budget": Decimal(5), "soft_budget": Decimal(6)}, ["soft_budget"], ["soft_budget"]),
            ({"hard_budget": True}, [], ["hard_budget"]),
            ({"hard_budget": True, "max_budget": None}, ["hard_budget"], ["hard_budget"]),
            ({"hard_budget": True, "max_budget": Decimal(5)}, [], []),
            ({"over_budget": "warn"}, [], ["over_budget"]),
            ({"over_budget": "warn", "hard_budget": True, "max_budget": Decimal(1)}, ["over_budget"], ["over_budget"]),
            ({"over_budget": "downgrade", "max_budget": Decimal(1)}, [], ["over_budget"]),
            ({"over_budget": "downgrade", "max_budget": Decimal(1), "downgrade": (("a", "b"),)}, [], []),
            ({"downgrade": (("a", "a"),)}, ["downgrade"], ["downgrade"]),
            ({"models": ()}, ["models"], ["models"]),
            ({"apis": None, "endpoints": ("/v1",)}, [], []),
            ({"source_addresses": ("10.0.0.0/8",) * 101}, ["source_addresses"], ["source_addresses"]),
        ):
            with row(values):
                limits = UsageLimits(**values)  # type: ignore[arg-type]
                self.assertEqual([name for name, _ in stated.contradictions(limits)], with_defaults)
                self.assertEqual([name for name, _ in stated.contradictions(limits, defaults=False)], without)
