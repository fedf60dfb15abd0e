"""A look at versions."""

from __future__ import annotations

from llmproxy import __version__
from llmproxy.doctor.look_versions import _packages, declared, look_at_versions, needed

from ..tables import row
from .subjects import API, SubjectTestCase


class VersionTests(SubjectTestCase):
    def test_installed(self) -> None:
        """What is declared is there with its bounds, and what is for other purposes is not asked for."""
        facts = look_at_versions(self.subject())
        self.assertEqual(facts.llmproxy, __version__)
        if declared():
            names = {each.name.lower(): each for each in facts.packages}
            self.assertIn(">=", names["attrs"].wanted)
            self.assertIsNotNone(names["attrs"].found)
            self.assertNotIn("psycopg", names)
        self.assertTrue(facts.libraries[0].startswith("OpenSSL"), facts.libraries)

    def test_needed(self) -> None:
        """What a configuration needs beyond the proxy itself."""
        for more, env, expected in (
            ("", {}, {}),
            ("", {"DATABASE_URL": "postgresql://u:p@h/d"}, {"postgres": "DATABASE_URL"}),
            ("", {"DATABASE_URL": "mysql://u:p@h/d"}, {"mysql": "DATABASE_URL"}),
            ("sinks: [{name: t, type: otlp, endpoint: 'http://c:4318'}]", {}, {"otel": "the export by OTLP"}),
        ):
            found = needed(self.subject(more, env=env, options={"database": None}))
            with row(more, env):
                self.assertEqual({name: what for name, what in found.items() if name != "tiktoken"}, expected)
        api = API[:-1] + ", meter: {estimate: true}}"
        self.assertIn("tiktoken", needed(self.subject(api=api)))

    def test_requirements(self) -> None:
        """As metadata have them; one that is for other versions of Python is passed over."""
        found = _packages(
            ["attrs>=23.2", "none-such (>=1)", 'x>=1; extra == "otel"', 'tomli>=2; python_version < "3.11"', "?"],
            {"otel": "OTLP"},
        )
        self.assertEqual(
            [(each.name, each.wanted, each.found is None, each.needed) for each in found],
            [("attrs", ">=23.2", False, ""), ("none-such", ">=1", True, ""), ("x", ">=1", True, "OTLP")],
        )
