"""Durations on the command line."""

from __future__ import annotations

import click
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.durations import minutes, seconds

from ..tables import row

CONTEXT = click.Context(click.Command("x"))
PARAMETER = click.Option(["--x"])


class DurationTests(SynchronousTestCase):
    def test_minutes(self) -> None:
        """A plain number is minutes, as in the reference."""
        for text, value in (("1440", 1440), ("12h", 720), ("30d", 43_200), ("119s", 1), (None, None)):
            self.assertEqual(minutes(CONTEXT, PARAMETER, text), value, (text, value))
        for text in ("59s", "0", "soon", "-5", "1w", "²"):
            with row(text):
                self.assertRaises(click.BadParameter, minutes, CONTEXT, PARAMETER, text)

    def test_seconds(self) -> None:
        self.assertEqual([seconds(CONTEXT, PARAMETER, text) for text in ("0", "1h", None)], [0, 3600, None])
        self.assertRaises(click.BadParameter, seconds, CONTEXT, PARAMETER, "x")
