"""Tokens as people describe them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.problems import Problems
from llmproxy.admin.tokenforms import DURATIONS, body_of, metadata_text
from llmproxy.admin.visit import Form
from llmproxy.management.checks import MAX_MINUTES, MAX_OVERLAP


def form(**values: str) -> Form:
    return Form({name: [value] for name, value in values.items()})


class TokenFormTests(SynchronousTestCase):
    def test_described(self) -> None:
        """What is typed is what is asked for; what is left empty is not."""
        for fields, body in (
            ({"duration": "60"}, {"duration_minutes": 60}),
            ({"duration": "other", "duration_other": "90m"}, {"duration_minutes": 90}),
            ({"duration": "60", "name": " ci ", "max_requests": "1 000"}, {"name": "ci", "max_requests": 1000}),
            ({"duration": "60", "metadata": "team = search\n\nx="}, {"metadata": {"team": "search", "x": ""}}),
            ({"duration": "60", "rpm_limit": "5"}, {"rpm_limit": 5}),
        ):
            problems: Problems = {}
            found = body_of(form(**fields), problems)
            self.assertEqual((found, problems), ({"duration_minutes": found["duration_minutes"], **body}, {}), fields)

    def test_refused(self) -> None:
        """What makes no sense is said beside its field."""
        for fields, name in (
            ({"duration": "other", "duration_other": "soon"}, "duration_other"),
            ({"duration": "other", "duration_other": "1s"}, "duration_other"),
            ({"duration": "other", "duration_other": "3650d"}, "duration_other"),
            ({"duration": "60", "max_requests": "-1"}, "max_requests"),
            ({"duration": "60", "max_requests": "9" * 20}, "max_requests"),
            ({"duration": "60", "metadata": "no sign"}, "metadata"),
        ):
            problems: Problems = {}
            body_of(form(**fields), problems)
            self.assertEqual(list(problems), [name], fields)

    def test_bounds(self) -> None:
        """Nothing can be chosen that the API refuses."""
        from llmproxy.admin.tokenforms import OVERLAPS

        self.assertEqual(max(minutes for minutes, _ in DURATIONS), MAX_MINUTES)
        self.assertLessEqual(max(seconds for seconds, _ in OVERLAPS), MAX_OVERLAP)

    def test_metadata(self) -> None:
        """What was noted stands in the form as it was typed."""
        self.assertEqual(metadata_text({"team": "search", "x": "1"}), "team = search\nx = 1")
