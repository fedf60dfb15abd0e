"""The fields of a record and their types, as the source has them: what is compiled does not tell."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "llmproxy/record.py"


def record_fields() -> dict[str, str]:
    """The types by their names, in the order in which L{llmproxy.record.Record} takes them."""
    [record] = [
        node
        for node in ast.parse(SOURCE.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "Record"
    ]
    [made] = [node for node in record.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    return {each.arg: ast.unparse(each.annotation) for each in made.args.args[1:] if each.annotation is not None}
