"""Tests of the uses that a process has noted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.uses import Use, Uses, owed
from llmproxy.core.quotas import Settlement
from tests.tables import row

SPENT = Use(3, 1, False)


class UseTests(SynchronousTestCase):
    def test_owed(self) -> None:
        """What comes behind the sequence that was written down is owed, what was given back is taken off."""
        leased, back = Use(5, 1, True), Use(7, -1, True)
        for written, wanted in (
            (0, Settlement("t", 1, 0, 9.0, 7)),
            (3, Settlement("t", 0, 0, None, 7)),
            (5, Settlement("t", -1, -1, 9.0, 7)),
            (7, None),
        ):
            with row(written):
                uses = Uses()
                for use in (SPENT, leased, back):
                    uses.add("t", use, 9.0 if use.count > 0 else None)
                self.assertEqual(owed(uses, {"t": written}, uses.tokens()), [] if wanted is None else [wanted])

    def test_tokens(self) -> None:
        """Each token has its own, in the order of the ids."""
        uses = Uses()
        for token in ("b", "a", "c"):
            uses.add(token, SPENT, 1.0)
        self.assertEqual([each.token_id for each in owed(uses, {"c": 3, "a": 2}, uses.tokens())], ["a", "b"])

    @given(st.lists(st.builds(Use, st.integers(1, 2**48), st.sampled_from((1, -1)), st.booleans())))
    def test_kept_as_they_are(self, wanted: list[Use]) -> None:
        """They come out as they were put in."""
        uses = Uses()
        for use in wanted:
            uses.add("t", use)
        self.assertEqual(uses.of("t"), wanted)
