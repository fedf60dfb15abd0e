"""Words to mypyc about classes that it compiles (C{docs/architecture.md}, "Compiled"); Python makes nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:
    _Class = TypeVar("_Class")

    def mypyc_attr(**attributes: object) -> Callable[[_Class], _Class]:
        """What C{mypy_extensions.mypyc_attr} is to mypyc, without a package that runs for this alone."""
        return lambda decorated: decorated
