"""The verdict on a configuration."""

from __future__ import annotations

from llmproxy.core.doctor.configuration import ConfigurationFacts, judge_configuration

from .verdicts import VerdictTestCase


class ConfigurationTests(VerdictTestCase):
    def test_table(self) -> None:
        """A good one is named with what it serves; everything that is wrong has a line."""
        good = ConfigurationFacts("apis.yaml", mode=0o644, apis=("openai", "local"), default="openai")
        self.judged(
            judge_configuration,
            [
                (good, [("ok", "serves openai at /, and local below their names")]),
                (ConfigurationFacts("a.yaml", apis=("x",), default="x"), [("ok", "serves x at /")]),
                (ConfigurationFacts("a.yaml", exists=False), [("fault", "is not there")]),
                (
                    ConfigurationFacts(
                        "a.yaml", exists=False, problems=("a.yaml: cannot be read", "MANAGEMENT_TOKEN: x")
                    ),
                    [("fault", "is not there"), ("fault", "TOKEN: x")],
                ),
                (
                    ConfigurationFacts("a.yaml", problems=("a.yaml:3:1: apis.a.base_url: expected a URL",)),
                    [("fault", "a.yaml:3:1")],
                ),
                (
                    ConfigurationFacts("a.yaml", mode=0o666, apis=("x",), default="x"),
                    [("warning", "can write it (mode 0666)"), ("ok", "serves x")],
                ),
                (
                    ConfigurationFacts("a.yaml", apis=("x",), default="x", warnings=("ENCRYPTION_KEY is not set",)),
                    [("warning", "ENCRYPTION_KEY"), ("ok", "serves x")],
                ),
                (
                    ConfigurationFacts("a.yaml", apis=("x",), default="x", idle_keys=("x",)),
                    [("warning", "x: its key can be used by no project"), ("ok", "serves x")],
                ),
                (ConfigurationFacts("a.yaml"), [("note", "no API")]),
            ],
        )

    def test_mends(self) -> None:
        """What the proxy warns of at its start is said with what to type."""
        facts = ConfigurationFacts("a", apis=("x",), default="x", warnings=("ENCRYPTION_KEY is not set", "another"))
        mends = [each.mend for each in judge_configuration(facts)]
        self.assertIn("openssl rand -base64 32", mends[0])
        self.assertEqual(mends[1], "see what the sentence names")
