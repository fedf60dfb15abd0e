"""Tests for L{llmproxy.core.inspection.folding}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.folding import field, member


class FoldingTests(SynchronousTestCase):
    def test_members(self) -> None:
        """Names of JSON that some reader takes for the same are the same."""
        for name, others in (
            ("model", ("MODEL", "Model", "model\0evil", "mo_del", "mo-del")),
            ("max_tokens", ("maxTokens", "MAX_TOKENS", "max_to\u212aens", "max_token\u017f")),
            ("größe", ("GRÖßE", "GRÖẞE", "grö\u017f\u017fe")),
            ("σ", ("Σ", "ς")),
        ):
            for other in others:
                self.assertEqual(member(other), member(name), other)
                self.assertEqual(field(other), field(name), other)
        for other in ("models", "mode1", "mödel", "", "model ", "model[]"):
            self.assertNotEqual(member(other), member("model"), other)

    def test_fields(self) -> None:
        """Forms have more spellings of a name than JSON."""
        for other in ("top.p", "top p", " top_p", "TOP_P ", "top_p[]", "top_p[0][x]", "topP"):
            self.assertEqual(field(other), field("top_p"), other)
        for other in ("top_k", "[top_p]", "x.top_p"):
            self.assertNotEqual(field(other), field("top_p"), other)
