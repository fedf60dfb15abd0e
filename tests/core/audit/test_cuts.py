"""Tests for L{llmproxy.core.audit.cuts}; what is made of them is in L{tests.contracts.auditcuts}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.chain import Anchor
from llmproxy.core.audit.cuts import CUT, MOST_CHAINS, Cut, Cuts, Mention, cut_of, mentions_in
from llmproxy.core.audit.record import MAX_DETAILS, AuditRecord, audit_record
from llmproxy.core.masking import Masking

BEFORE = 1_700_000_000_123_456
HASH = "ab" * 32


def record(action: str, details: dict[str, Any]) -> AuditRecord:
    return audit_record("id", 0.0, action, "system", "success", details, Masking())


class CutTests(SynchronousTestCase):
    def test_round_trip(self) -> None:
        """What a record says is what was cut, however much that is: no record is too long to say all of it."""
        for count in (0, 1, MOST_CHAINS, MOST_CHAINS + 1, 100):
            ends = {f"{number:032x}": Anchor(f"{number:032x}", 2**40 + number, HASH) for number in range(count)}
            records = [record(CUT, part.details()) for part in Cut(BEFORE, ends).parts()]
            found: dict[str, Anchor] = {}
            for each in records:
                cut = cut_of(each)
                assert cut is not None
                self.assertEqual(cut.before, BEFORE, each)
                found |= cut.ends
                self.assertLess(len(str(each.details)), MAX_DETAILS, (count, each))
            self.assertEqual((found, len(records)), (ends, max(1, -(-count // MOST_CHAINS))), count)

    def test_not_understood(self) -> None:
        """A record that says something else allows nothing."""
        chains = {"c": [1, HASH]}
        good = {"before": "2026-01-31T12:00:00Z", "chains": chains}
        self.assertIsNotNone(cut_of(record(CUT, good)))
        for action, details in (
            ("audit.open", good),
            (CUT, {"chains": chains}),
            (CUT, {**good, "before": "soon"}),
            (CUT, {**good, "before": 7}),
            (CUT, {**good, "chains": ["c"]}),
            (CUT, {}),
        ):
            self.assertIsNone(cut_of(record(action, details)), details)
        for end in ([1], [HASH, 1], [1, HASH, 2], "x", [True, HASH], [1.5, HASH]):
            cut = cut_of(AuditRecord("i", 0, CUT, "system", "success", details={**good, "chains": {"c": end}}))
            assert cut is not None
            self.assertEqual(dict(cut.ends), {}, end)


class MentionTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Earlier releases said nothing of the time; what is neither form is left out."""
        heads = {"a": [3, HASH, 17], "b": [4, HASH], "c": [HASH, 4], "d": [1, HASH, "x"], "e": 5, "f": [1]}
        found = mentions_in(record("audit.open", {"heads": heads}))
        self.assertEqual(found, [Mention(Anchor("a", 3, HASH), 17), Mention(Anchor("b", 4, HASH))])
        self.assertEqual(mentions_in(record("audit.open", {"heads": 1})), [])


class CutsTests(SynchronousTestCase):
    def test_excuses(self) -> None:
        """A chain may be gone as far as it was cut, or if all of it was older than what was cut."""
        cuts = Cuts([Cut(100, {"a": Anchor("a", 5, HASH)}), Cut(50, {"a": Anchor("a", 3, HASH)})])
        self.assertEqual((cuts.before, cuts.until("a"), cuts.until("b"), cuts.chains), (100, 5, 0, ["a"]))
        self.assertEqual((cuts.head("a", 3), cuts.head("a", 4), cuts.head("b", 1)), (HASH, None, None))
        for chain, count, at, excused in (
            ("a", 5, None, True),
            ("a", 6, None, False),
            ("a", 6, 100, False),
            ("a", 6, 99, True),
            ("b", 1, None, False),
            ("b", 1, 99, True),
            ("b", 1, 101, False),
        ):
            self.assertEqual(cuts.excuse(Mention(Anchor(chain, count, HASH), at)), excused, (chain, count, at))
        self.assertFalse(Cuts().excuse(Mention(Anchor("a", 1, HASH), 1)))
