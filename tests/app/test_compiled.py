"""Tests for L{llmproxy.app.compiled}, of the build that is expected: C{tests/compiled.py} expects the other one."""

from __future__ import annotations

import os
from importlib import import_module
from traceback import extract_tb

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.compiled import is_compiled
from llmproxy.core.fields import list_members
from tests.compiled import EXPECTED, modules

IS_EXPECTED = os.environ.get(EXPECTED) == "compiled"


class CompiledTests(SynchronousTestCase):
    def test_known(self) -> None:
        """It says which build runs."""
        self.assertEqual(is_compiled(), IS_EXPECTED)

    def test_all(self) -> None:
        """All of the modules that setup.cfg lists are compiled, or none."""
        for name in modules():
            file = import_module(name).__file__ or ""
            self.assertEqual(file.endswith(".py"), not IS_EXPECTED, file)

    def test_tracebacks(self) -> None:
        """They name the function and its line in the source, in both builds."""
        with self.assertRaises(Exception) as raised:
            list_members(7, b"connection")  # type: ignore[arg-type]
        last = [each for each in extract_tb(raised.exception.__traceback__) if "fields.py" in each.filename][-1]
        self.assertTrue(last.filename.endswith("llmproxy/core/fields.py"), last.filename)
        self.assertGreater(last.lineno or 0, 1)
