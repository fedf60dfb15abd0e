"""Limits as they are written down."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.written import changed, limits_of, read, text_of, written
from llmproxy.usagelimits import UNLIMITED, UNSET, UsageLimits

from ...tables import row

_COUNT = st.none() | st.just(UNSET) | st.integers(0, 2**53 - 1)
_MONEY = st.none() | st.just(UNSET) | st.decimals(0, 10**12, allow_nan=False, allow_infinity=False, places=12)
_NAMES = st.none() | st.just(UNSET) | st.lists(st.text(min_size=1), min_size=1).map(tuple)
_PAIRS = st.none() | st.just(UNSET) | st.dictionaries(st.text(), st.text(), min_size=1).map(lambda d: tuple(d.items()))
LIMITS = st.builds(
    UsageLimits,
    rpm_limit=_COUNT,
    tpm_limit=_COUNT,
    max_parallel_requests=_COUNT,
    max_budget=_MONEY,
    budget_duration=st.sampled_from([None, UNSET, "1mo", "total"]),
    soft_budget=_MONEY,
    hard_budget=st.sampled_from([None, UNSET, True, False]),
    over_budget=st.sampled_from([None, UNSET, "warn"]),
    downgrade=_PAIRS,
    models=_NAMES,
    apis=_NAMES,
    endpoints=_NAMES,
    source_addresses=_NAMES,
)


class RoundTripTests(SynchronousTestCase):
    @given(LIMITS)
    def test_all(self, limits: UsageLimits) -> None:
        """What was written is what is read: nothing said, no limit, and each value."""
        self.assertEqual(read(text_of(limits)), limits)
        self.assertEqual(limits_of(written(limits)), limits)

    def test_nothing(self) -> None:
        """Nothing said takes no room, and is found by its identity."""
        self.assertIsNone(text_of(UNLIMITED))
        self.assertIs(read(None), UNLIMITED)
        self.assertIs(changed(UsageLimits(rpm_limit=1), {"rpm_limit": UNSET}), UNLIMITED)

    def test_text(self) -> None:
        """Money is a decimal text, however small it is."""
        limits = UsageLimits(max_budget=Decimal("1E-7"), rpm_limit=None)
        self.assertEqual(text_of(limits), '{"rpm_limit":null,"max_budget":"0.0000001"}')

    def test_later_release(self) -> None:
        """What a later release wrote beside is left alone; what nobody wrote is an error."""
        self.assertEqual(read('{"rpm_limit":1,"rpd_limit":2}'), UsageLimits(rpm_limit=1))
        for text in ("", "[]", '{"max_budget":"much"}'):
            with row(text):
                self.assertRaises(ValueError, read, text)

    def test_changed(self) -> None:
        """What is not named stays."""
        limits = UsageLimits(rpm_limit=1, tpm_limit=2)
        self.assertEqual(changed(limits, {"tpm_limit": None}), UsageLimits(rpm_limit=1, tpm_limit=None))
