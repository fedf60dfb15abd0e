"""C{make run} and C{make test} where an environment is missing, was half made, or works already."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .processes import ROOT

PYTHON = """#!/bin/sh
echo "$@" >> calls
case "$1 $2" in
  "-c "*) exit 0;;
  "-m venv")
    for last; do :; done
    mkdir -p $last/bin; touch $last/pyvenv.cfg
    test ! -f broken || exit 1
    cp "$0" $last/bin/python;;
  "-m pip") test ! -f offline || test "$3" = --version;;
esac
"""
"""Stands for an interpreter: a broken one leaves an environment without pip, as Debian's does without python3-venv."""


class MakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        for name in ("Makefile", "setup.cfg", "pyproject.toml"):
            (self.directory / name).write_text((ROOT / name).read_text())
        python = self.directory / "python"
        python.write_text(PYTHON)
        python.chmod(0o755)

    def make(self) -> subprocess.CompletedProcess[str]:
        """Ask for what C{make run} needs first."""
        command = ["make", "PYTHON=./python", ".venv/run.stamp"]
        return subprocess.run(command, cwd=self.directory, capture_output=True, text=True, timeout=60, check=False)

    def calls(self) -> list[str]:
        """What the interpreters were asked for since the last time."""
        path = self.directory / "calls"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [call for call in found if call.startswith(("-m venv", "-m pip install"))]

    def test_says_what_it_does(self) -> None:
        """Nothing that takes a minute is silent; the second time nothing is done."""
        ended = self.make()
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("making a virtual environment in .venv", ended.stdout)
        self.assertIn("installing llmproxy", ended.stdout)
        self.assertEqual(len(self.calls()), 2)
        self.make()
        self.assertEqual(self.calls(), [])

    def test_half_made(self) -> None:
        """An environment that could not be made is said to be so, and is made anew once the reason is gone."""
        (self.directory / "broken").touch()
        ended = self.make()
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("python3-venv", ended.stderr)
        (self.directory / "broken").unlink()
        self.calls()
        ended = self.make()
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(self.calls()[0], "-m venv --clear .venv")

    def test_offline(self) -> None:
        """An installation that failed is tried again, in the environment that is there."""
        (self.directory / "offline").touch()
        ended = self.make()
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("the installation failed", ended.stderr)
        (self.directory / "offline").unlink()
        self.calls()
        self.assertEqual(self.make().returncode, 0)
        self.assertEqual([call[:7] for call in self.calls()], ["-m pip "])

    def test_works_already(self) -> None:
        """An environment of somebody's own that works is kept as it is."""
        binaries = self.directory / ".venv" / "bin"
        binaries.mkdir(parents=True)
        (binaries / "python").write_text(PYTHON)
        os.chmod(binaries / "python", 0o755)
        self.assertEqual(self.make().returncode, 0)
        self.assertEqual([call[:14] for call in self.calls()], ["-m pip install"])
