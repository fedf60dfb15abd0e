"""Conditions that are others on SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class OnSQLite(FunctionElement[bool]):
    """The first of two conditions, and on SQLite the second: its C{LIKE} knows both cases of ASCII by itself."""

    type = Boolean()
    inherit_cache = True
    _is_implicitly_boolean = True


@compiles(OnSQLite)
def _elsewhere(element: OnSQLite, compiler: Any, **more: Any) -> str:
    everywhere, _ = element.clauses
    return f"({compiler.process(everywhere, **more)})"


@compiles(OnSQLite, "sqlite")
def _on_sqlite(element: OnSQLite, compiler: Any, **more: Any) -> str:
    _, there = element.clauses
    return f"({compiler.process(there, **more)})"
