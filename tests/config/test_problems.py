"""Tests for L{llmproxy.config.problems}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.problems import SHOWN, Problems, unknown
from llmproxy.errors import ConfigError


class ProblemsTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        """Nothing is raised where nothing is wrong."""
        Problems("a.yaml").fail()

    def test_all_in_the_order_of_the_file(self) -> None:
        """One exception tells everything, each sentence with file, line, column and setting."""
        problems = Problems("a.yaml")
        problems.add("apis.b", "is wrong", (7, 3))
        problems.add("apis.a", "is worse", (2, 5))
        problems.add("", "is empty")
        error = self.assertRaises(ConfigError, problems.fail)
        self.assertEqual(
            error.problems, ("a.yaml: is empty", "a.yaml:2:5: apis.a: is worse", "a.yaml:7:3: apis.b: is wrong")
        )
        self.assertEqual(problems.paths, {"", "apis.a", "apis.b"})

    def test_many(self) -> None:
        """A terminal is not filled: what is too much is counted."""
        problems = Problems()
        for number in range(SHOWN + 2):
            problems.add(f"k{number}", "is wrong", (number, 1))
        told = self.assertRaises(ConfigError, problems.fail).problems
        self.assertEqual((len(told), told[-1]), (SHOWN + 1, "... and 2 more problems"))


class UnknownTests(SynchronousTestCase):
    def test_meant(self) -> None:
        """What was meant is guessed, and everything that is known is told."""
        self.assertEqual(
            unknown("tiemouts", ("timeouts", "auth")),
            "unknown key 'tiemouts', did you mean 'timeouts'? (known: auth, timeouts)",
        )

    def test_no_idea(self) -> None:
        """Without a guess it does not guess; a long name is not repeated whole."""
        sentence = unknown("x" * 500, (), "API")
        self.assertEqual(sentence, f"unknown API {'x' * 80!r} (known: none)")
