"""The bound of what callers can say. What a database makes of it is in tests/contracts/usagerecords.py."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.rollupkeys import Sample, Value
from llmproxy.store import usagevalues
from llmproxy.store.usagevalues import AdmittedValues

from .databases import opened


def sample(*values: Value, quarter: int = 96, project: str = "p") -> Sample:
    return Sample(quarter, (project, "t", "openai", "/chat", "m", "m", 200), values)


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)
        self.values = AdmittedValues()

    def shown(self, *samples: Sample) -> list[tuple[Value, ...]]:
        found = self.successResultOf(self.database.run(lambda connection: self.values.of(connection, samples)))
        self.values.kept()
        return [found.get(each, each).values for each in samples]

    def test_bound(self) -> None:
        """So many of each name, a day and all projects together; users have more room."""
        self.patch(usagevalues, "MOST", 2)
        self.patch(usagevalues, "MOST_VALUES", {"user": 3})
        for kind, most in (("session", 2), ("program", 2), ("user", 3)):
            for number in range(5):
                value = (kind, "", f"v{number}")
                [shown] = self.shown(sample(value, project=f"p{number}"))
                self.assertEqual(shown, (value if number < most else (kind, "", "other"),), value)
        self.assertEqual(self.shown(sample(("session", "", "v4"), quarter=192)), [(("session", "", "v4"),)])

    def test_once(self) -> None:
        """An exchange is counted once as other, whatever it has beyond the bound."""
        self.patch(usagevalues, "MOST", 0)
        values: list[Value] = [("tag", "team", "a"), ("session", "", "s"), ("session", "", "t")]
        self.assertEqual(self.shown(sample(*values)), [(("tag", "team", "other"), ("session", "", "other"))])

    def test_names(self) -> None:
        """Names have a bound of their own, of tags and of metadata."""
        self.patch(usagevalues, "MOST_NAMES", 2)
        for kind in ("tag", "metadata"):
            found = [self.shown(sample((kind, f"n{number % 4}", "x")))[0] for number in range(8)]
            self.assertEqual([len(each) for each in found], [1, 1, 0, 0, 1, 1, 0, 0], kind)

    def test_remembered(self) -> None:
        """What was seen before costs no statement."""
        self.shown(sample(("user", "", "anna")))
        before = self.database.statements
        self.shown(sample(("user", "", "anna")))
        self.assertEqual(self.database.statements - before, 1, "the beginning of the transaction")
        self.patch(usagevalues, "MOST_KNOWN", 2)
        for number in range(5):
            self.shown(sample(("user", "", f"u{number}")))
        self.assertLessEqual(len(self.values._known), 2)
