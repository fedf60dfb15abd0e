"""
The compiled build and its tests: C{python -m tests.compiled WHEEL [TEST ...]}.

A compiled wheel is laid out in a directory of its own, with the tests beside it, and trial runs there those of the
modules that are compiled, and those that see whole exchanges and what they cost. Nothing comes near the checkout,
where everything else runs as Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from configparser import ConfigParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]

_Test = TypeVar("_Test", bound=Callable[..., object])

EXPECTED = "LLMPROXY_TESTED_BUILD"
"""Says C{compiled} to L{tests.app.test_compiled}, so that the wrong build cannot pass for the right one."""

WHOLE = (
    "tests.app.test_compiled",
    "tests.test_cost",
    "tests.test_exchanges",
    "tests.test_fuzz",
    "tests.test_seen_heads",
    "tests.cli.test_version",
)
"""What is tested besides the modules: the build itself, whole exchanges, and what they cost."""

BESIDE = ("tests", "docs", "config", "setup.cfg")
"""What tests need of the checkout besides the package."""


def python_only(reason: str) -> Callable[[_Test], _Test]:
    """A test that the compiled build cannot pass, and why: it hands in what the types forbid, or changes an object."""

    def marked(test: _Test) -> _Test:
        if os.environ.get(EXPECTED) == "compiled":
            test.skip = reason  # type: ignore[attr-defined]
        return test

    return marked


def modules() -> list[str]:
    """The modules that are compiled, as C{setup.cfg} lists them."""
    setup = ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", "utf-8")
    return setup["llmproxy:compiled"]["modules"].split()


def tests() -> list[str]:
    """The test modules of those."""
    found = []
    for name in modules():
        folder, _, last = name.replace("llmproxy", "tests", 1).rpartition(".")
        if (ROOT / folder.replace(".", "/") / f"test_{last}.py").exists():
            found.append(f"{folder}.test_{last}")
    return [*WHOLE, *found]


def lay_out(wheel: str, directory: Path) -> None:
    """The wheel, and beside it what the tests need."""
    with ZipFile(wheel) as archive:
        archive.extractall(directory)
    for name in BESIDE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, directory)


def main(wheel: str, *chosen: str) -> int:
    with TemporaryDirectory(prefix="llmproxy-compiled-") as directory:
        lay_out(wheel, Path(directory))
        return trial(directory, chosen or tests())


def trial(directory: str, chosen: Sequence[str]) -> int:
    environment = {**os.environ, "PYTHONPATH": directory, EXPECTED: "compiled"}
    command = [sys.executable, "-m", "twisted.trial", *chosen]
    return subprocess.call(command, cwd=directory, env=environment)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
