"""
The backend of the build: setuptools' own, and the hot modules as C where C{LLMPROXY_COMPILE=1} asks for it.

Which modules those are stands in C{setup.cfg}. Without the variable, in an editable installation and in a source
distribution everything is Python, and neither a compiler nor mypyc is needed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

if TYPE_CHECKING:
    from setuptools import Extension

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

ROOT = Path(__file__).parents[1]

VARIABLE = "LLMPROXY_COMPILE"

_COMPILING = {"build", "build_ext", "bdist_wheel", "install"}
"""Commands of setuptools that make what is installed; all others only ask for names and versions."""


def is_wanted() -> bool:
    """
    @raise SystemExit: the variable is neither C{1} nor C{0}: who means it should not find out in production.
    """
    said = os.environ.get(VARIABLE, "").strip()
    if said not in ("", "0", "1"):
        raise SystemExit(f"{VARIABLE} is {said!r}: 1 compiles the hot modules, 0 or nothing leaves them Python")
    return said == "1"


def setup_cfg() -> ConfigParser:
    found = ConfigParser(interpolation=None)
    found.read(ROOT / "setup.cfg", "utf-8")
    return found


def _lines(section: str, key: str) -> list[str]:
    return [line.strip() for line in setup_cfg()[section][key].splitlines() if line.strip()]


def modules() -> list[str]:
    """The files of the modules that are compiled, relative to the root."""
    return [f"{name.replace('.', '/')}.py" for name in _lines("llmproxy:compiled", "modules")]


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """PEP 517: with what is compiled come the compiler, and what the types of our modules come from."""
    requires: list[str] = build_meta.get_requires_for_build_wheel(config_settings)
    if is_wanted():
        requires += _lines("llmproxy:compiled", "requires") + _lines("options", "install_requires")
    return requires


def compiles(arguments: Sequence[str]) -> bool:
    """
    Whether something is to be compiled.

    @param arguments: the command line of setuptools.
    """
    return is_wanted() and not _COMPILING.isdisjoint(arguments)


def extensions(directory: str) -> list[Extension]:
    """
    What setuptools is to compile: all modules as one shared library, since calls between them are cheap only there.

    @param directory: where the C goes.
    """
    try:
        from mypyc.build import mypycify
    except ImportError:
        raise SystemExit(f"{VARIABLE}=1 needs mypyc: pip install mypy mypy-zope, or let pip isolate it") from None
    made: list[Extension] = mypycify(
        # What is wrong elsewhere does not concern what is compiled, and the lint says it.
        ["--config-file", "setup.cfg", "--no-warn-unused-ignores", "--follow-imports", "silent", *modules()],
        opt_level=os.environ.get("MYPYC_OPT_LEVEL", "3"),
        debug_level="0",
        group_name="llmproxy",
        target_dir=directory,
    )
    return made
