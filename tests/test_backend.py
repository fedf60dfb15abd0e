"""Tests for C{compiling/llmproxy_backend.py}, the backend of the build."""

from __future__ import annotations

import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]


def the_backend() -> Any:
    spec = spec_from_file_location("llmproxy_backend", ROOT / "compiling/llmproxy_backend.py")
    assert spec is not None and spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


class BackendTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.backend = the_backend()
        self.patch(self.backend.build_meta, "get_requires_for_build_wheel", lambda settings: [])
        self.patch(os, "environ", {key: value for key, value in os.environ.items() if key != "LLMPROXY_COMPILE"})

    def said(self, value: str) -> None:
        os.environ["LLMPROXY_COMPILE"] = value

    def test_off(self) -> None:
        """Nothing is compiled, and nothing is installed for it, unless that is said."""
        for value in ("", "0", " 0 "):
            self.said(value)
            self.assertFalse(self.backend.compiles(["setup.py", "bdist_wheel"]), value)
            self.assertFalse([each for each in self.backend.get_requires_for_build_wheel() if "mypy" in each], value)

    def test_on(self) -> None:
        """What is installed is compiled, with a mypyc that comes by itself, and the types of what we stand on."""
        self.said("1")
        self.assertTrue(self.backend.compiles(["setup.py", "bdist_wheel"]))
        requires = self.backend.get_requires_for_build_wheel()
        for name in ("mypy[mypyc]", "mypy-zope", "Twisted", "attrs"):
            self.assertTrue([each for each in requires if each.startswith(name)], name)

    def test_names_and_versions_only(self) -> None:
        """A command that asks for names only compiles nothing, and a checkout that is edited stays Python."""
        self.said("1")
        for command in ("egg_info", "dist_info", "sdist", "editable_wheel", "develop"):
            self.assertFalse(self.backend.compiles(["setup.py", command]), command)
        for name in (
            "build_editable",
            "get_requires_for_build_editable",
            "build_sdist",
            "get_requires_for_build_sdist",
        ):
            self.assertIs(getattr(self.backend, name), getattr(self.backend.build_meta, name))

    def test_something_else(self) -> None:
        """A word that it does not know ends the build, and says which it knows."""
        self.said("yes")
        error = self.assertRaises(SystemExit, self.backend.compiles, ["setup.py", "bdist_wheel"])
        self.assertEqual(
            str(error), "LLMPROXY_COMPILE is 'yes': 1 compiles the hot modules, 0 or nothing leaves them Python"
        )

    def test_modules(self) -> None:
        """All that setup.cfg lists are there, once."""
        files = self.backend.modules()
        self.assertEqual([file for file in files if not (ROOT / file).is_file()], [])
        self.assertEqual(len(set(files)), len(files))
