"""Names of groups."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reportgroups import GROUPS, LONGEST, MOST_GROUPS, groups_of, is_group

from ..tables import row


class GroupsTests(SynchronousTestCase):
    def test_a_list(self) -> None:
        """Names are separated by commas, spaces around them mean nothing, and no name is no group."""
        for text, groups in (
            ("", ()),
            ("day", ("day",)),
            ("day,project,model", ("day", "project", "model")),
            (" day , tag:team ", ("day", "tag:team")),
            ("metadata.cost center,tag:a.b", ("metadata.cost center", "tag:a.b")),
            (",day,", ("day",)),
        ):
            with row(self, text):
                self.assertEqual(groups_of(text), groups)

    def test_all_of_them(self) -> None:
        """Every documented name is one."""
        self.assertEqual([name for name in (*GROUPS, "tag:x", "metadata.x") if not is_group(name)], [])

    def test_refused(self) -> None:
        """What is not known, twice or too much is refused, in words that help."""
        for text, words in (
            ("modle", "did you mean model?"),
            ("Projects", "did you mean project?"),
            ("project_id", "did you mean project?"),
            ("served-model", "did you mean served_model?"),
            ("zzzz", "known are hour, day"),
            ("tag", "tag:NAME"),
            ("tag:", "tag:NAME"),
            ("metadata.", "metadata.NAME"),
            ("tag:" + "x" * (LONGEST + 1), "unknown group"),
            ("tag:a\x1bb", "unknown group"),
            ("day,model,day", "'day' stands twice"),
            (",".join(GROUPS[: MOST_GROUPS + 1]), f"at most {MOST_GROUPS}"),
        ):
            with row(self, text):
                self.assertIn(words, str(self.assertRaises(ValueError, groups_of, text)))
