"""The verdict on versions."""

from __future__ import annotations

from llmproxy.core.doctor.versions import PackageFacts, VersionFacts, is_within, judge_versions

from ...tables import row
from .verdicts import VerdictTestCase


def facts(*packages: PackageFacts, python: tuple[int, int] = (3, 12)) -> VersionFacts:
    return VersionFacts("0.3.0", python, packages, ("OpenSSL 3", "SQLite 3"))


class VersionTests(VerdictTestCase):
    def test_table(self) -> None:
        whole = ("ok", "llmproxy 0.3.0, Python 3.12, OpenSSL 3, SQLite 3")
        self.judged(
            judge_versions,
            [
                (facts(PackageFacts("attrs", ">=23.2", "24.1.0")), [whole]),
                (
                    facts(PackageFacts("attrs", ">=23.2", "22.1.0")),
                    [("fault", "is 22.1.0, and has to be >=23.2"), whole],
                ),
                (facts(PackageFacts("attrs", ">=23.2")), [("fault", "attrs is missing, which the proxy needs"), whole]),
                (facts(PackageFacts("x", "", None, "OTLP", "otel")), [("fault", "which OTLP needs"), whole]),
                (facts(python=(3, 9)), [("fault", "Python 3.9 is too old"), ("ok", "3.9")]),
                (facts(python=(3, 15)), [("warning", "Python 3.15 is newer"), ("ok", "3.15")]),
            ],
        )

    def test_extra(self) -> None:
        """What an extra brings is installed by its name."""
        found, _ = judge_versions(facts(PackageFacts("psycopg", ">=3.1", None, "DATABASE_URL", "postgres")))
        self.assertEqual(found.mend, "pip install 'txllmproxy[postgres]'")

    def test_bounds(self) -> None:
        """Versions are compared by their numbers, not as texts."""
        for version, bounds, expected in (
            ("1.10", ">=1.9", True),
            ("1.9", ">=1.10", False),
            ("2.0.0", ">=2", True),
            ("26.10.0rc1", ">=26.4", True),
            ("3.0", ">=1,<3", False),
            ("2.9.9", ">= 1, < 3", True),
            ("1.4.5", "~=1.4.2", True),
            ("1.5.0", "~=1.4.2", False),
            ("1.0", "==1.0.0", True),
            ("1.0", "!=1.0", False),
            ("1.0", "<=1.0", True),
            ("1.0", ">1.0", False),
            ("1", "", True),
        ):
            with row(version, bounds):
                self.assertEqual(is_within(version, bounds), expected)
