"""Tests for L{llmproxy.app.configsource}."""

from __future__ import annotations

import pickle

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.configsource import FROM, ConfigSource, origins
from llmproxy.app.settings import Settings
from llmproxy.config import APIConfig
from llmproxy.config.variables import EFFECTIVE
from llmproxy.errors import ConfigError
from llmproxy.tap import Options
from tests.tables import row


class OriginsTests(SynchronousTestCase):
    def test_table(self) -> None:
        """An option comes before a variable, a variable before the default, of which nothing is said."""
        for name, options, env, expected in (
            ("nothing", {}, {}, {}),
            ("an option", {"listen": [":1"]}, {"LISTEN_ADDR": ":2"}, {"listen": "--listen"}),
            ("a variable", {"listen": []}, {"LISTEN_ADDR": ":2"}, {"listen": "LISTEN_ADDR of the environment"}),
            ("empty", {}, {"LISTEN_ADDR": ""}, {}),
            (
                "a file",
                {},
                {"MANAGEMENT_TOKEN_FILE": "/x"},
                {"management_token": "MANAGEMENT_TOKEN_FILE of the environment"},
            ),
            ("usual", {"drain": 30.0}, {}, {}),
            ("unusual", {"drain": 5.0}, {}, {"drain_seconds": "--drain"}),
        ):
            with row(self, name):
                self.assertEqual(origins(options, {"drain": 30.0}, env), expected)

    def test_names(self) -> None:
        """Every setting, option and variable that is named is there."""
        options = {each[0] for each in Options.optParameters} | {"listen", "manage-listen"}
        options |= {each[0] for each in Options.optFlags}
        for setting, (option, variables) in FROM.items():
            with row(self, setting):
                self.assertIn(setting, {each.name for each in fields(Settings)})
                self.assertTrue(not option or option in options)
                self.assertEqual(set(variables) - EFFECTIVE.keys(), set())


class ConfigSourceTests(SynchronousTestCase):
    def test_files(self) -> None:
        """The files are those of the last reading, good or not."""
        settings = Settings(APIConfig({}, ""))

        def good(opened: set[str]) -> Settings:
            opened.add("secret")
            return settings

        source = ConfigSource("apis.yaml", good)
        self.assertIs(source.read(), settings)
        self.assertEqual(source.files, {"apis.yaml", "secret"})

        def bad(opened: set[str]) -> Settings:
            raise ConfigError("wrong")

        source.reader = bad
        self.assertRaises(ConfigError, source.read)
        self.assertEqual(source.files, {"apis.yaml"})

    def test_elsewhere(self) -> None:
        """A worker knows where it comes from, and does not read it."""
        told = pickle.loads(
            pickle.dumps(ConfigSource("apis.yaml", lambda opened: Settings(APIConfig({}, ""))).elsewhere())
        )
        self.assertEqual(told.path, "apis.yaml")
        self.assertRaises(ConfigError, told.read)
