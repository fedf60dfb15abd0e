"""The build that runs: with the hot modules compiled, or pure Python."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec

_ONE = "llmproxy.message"
"""One of the modules that are compiled: they are compiled together or not at all."""


def is_compiled() -> bool:
    """Whether Python finds the hot modules as machine code (C{docs/performance.md}); nothing is loaded to know that."""
    spec = find_spec(_ONE)
    return spec is not None and spec.origin is not None and spec.origin.endswith(tuple(EXTENSION_SUFFIXES))
