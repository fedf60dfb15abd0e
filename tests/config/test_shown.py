"""Tests for L{llmproxy.config.shown}."""

from __future__ import annotations

from decimal import Decimal

from attrs import field, frozen
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.shown import shown, without_credentials
from llmproxy.core.masking import MASKED
from llmproxy.usagelimits import UsageLimits
from tests.tables import row


@frozen
class Inner:
    key: str | None = field(default=None, repr=False)
    url: str = field(default="", repr=False)
    weights: frozenset[str] = frozenset()


@frozen
class Outer:
    inner: tuple[Inner, ...]
    price: Decimal = Decimal("0.15")
    raw: bytes = b"secret"
    fields: dict[str, str] = field(factory=dict, repr=False)


class ShownTests(SynchronousTestCase):
    def test_values(self) -> None:
        """What JSON knows; a field that no repr shows is masked where it has a value."""
        value = Outer(
            (Inner("sk-secret", "redis://u:p@h:1/0", frozenset({"b", "a"})), Inner()), fields={"X-Org": "secret"}
        )
        self.assertEqual(
            shown(value),
            {
                "inner": [
                    {"key": MASKED, "url": f"redis://{MASKED}@h:1/0", "weights": ["a", "b"]},
                    {"key": None, "url": "", "weights": []},
                ],
                "price": "0.15",
                "raw": MASKED,
                "fields": {"X-Org": MASKED},
            },
        )

    def test_unsaid(self) -> None:
        """Limits that nobody has said are left out; none at all is null."""
        limits = UsageLimits(rpm_limit=None, tpm_limit=5)
        self.assertEqual(shown(limits), {"rpm_limit": None, "tpm_limit": 5})

    def test_urls(self) -> None:
        """All of a URL but what only its owner knows."""
        for url, expected in (
            ("sqlite:///data/x.db", "sqlite:///data/x.db"),
            ("postgresql://ann:se:cr@et@h/db", f"postgresql://{MASKED}@h/db"),
            ("redis://h/0?password=x&ca_file=/a", f"redis://h/0?{MASKED}&ca_file=/a"),
            ("unix:///run/r.sock?username=u", f"unix:///run/r.sock?{MASKED}"),
        ):
            with row(self, url):
                self.assertEqual(without_credentials(url), expected)
