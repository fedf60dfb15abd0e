"""Tests for L{llmproxy.config.attributionschema}; what is refused stands in L{tests.config.test_schema}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import AttributionSettings
from llmproxy.config.attributionschema import attribution
from llmproxy.config.document import compose
from llmproxy.config.problems import Problems
from tests.tables import row

RIGHT: tuple[tuple[str, AttributionSettings | None], ...] = (
    ("on", AttributionSettings()),
    ("off", None),
    ("{enabled: off, tags: [team]}", None),
    ("{}", AttributionSettings()),
    ("{bodies: off}", AttributionSettings(reads_bodies=False)),
    ("{tags: []}", AttributionSettings(frozenset())),
    (
        "{tags: [team, feature], project_tags: {search: [stage]}, hash: [user, session], programs: [My-App]}",
        AttributionSettings(
            frozenset({"team", "feature"}),
            {"search": frozenset({"stage"})},
            frozenset({"user", "session"}),
            programs=frozenset({"my-app"}),
        ),
    ),
)


class AttributionTests(SynchronousTestCase):
    def test_right(self) -> None:
        """What a file says, and what it leaves to the defaults."""
        for text, expected in RIGHT:
            with row(text):
                problems = Problems()
                item = compose(text, problems, {})
                assert item is not None
                self.assertEqual(attribution(item).settings(known=True), expected)
                self.assertEqual(problems.found, [])

    def test_bodies(self) -> None:
        """Where nothing is said, bodies are looked into if the vendor is known."""
        item = compose("on", Problems(), {})
        assert item is not None
        self.assertIs(attribution(item).settings(known=False).reads_bodies, False)
