"""Types of sinks by name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.sinks.registry import sink_type, type_names


class RegistryTests(SynchronousTestCase):
    def test_unknown(self) -> None:
        """A word that is no type is refused with those that are."""
        with self.assertRaisesRegex(ConfigError, "no sink of type 'kafka'; there are file, stdout, http"):
            sink_type("kafka")

    def test_names(self) -> None:
        """The proxy's own come first."""
        self.assertEqual(type_names()[0], "file")
