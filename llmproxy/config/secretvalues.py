"""Secret values of a configuration: named there, by a variable or a file, and never written there."""

from __future__ import annotations

import re

import yaml

from . import rules
from .document import Item

_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", re.ASCII)
_FILE = "file:"
_MOST = 16 * 1024
"""Bytes of a file with a secret in it."""


def secret_value(item: Item) -> str | None:
    """
    What C{${NAME}} or C{file:/path} names, without white space around it; C{None} if there is none, and why is noted.

    As in the environment, the value of the variable may be C{file:/path} too. No problem shows any of the value.
    """
    raw = item.node.value if isinstance(item.node, yaml.ScalarNode) else ""
    if not (_VARIABLE.fullmatch(raw) or raw.startswith(_FILE)):
        item.problem("expected ${VARIABLE} or file:/path: a key itself does not stand in the file (it is not shown)")
        return None
    if item.stands_for_another:
        return "pasted"
    text = item.text()
    if text is not None and text.startswith(_FILE):
        text = _content(text.removeprefix(_FILE), item)
    if text is None:
        return None
    try:
        return rules.secret(text.strip())
    except ValueError as error:
        item.problem(str(error))
        return None


def _content(path: str, item: Item) -> str | None:
    item.document.files.add(path)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MOST + 1)
    except OSError as error:
        item.problem(f"the file {path!r} cannot be read: {error.strerror}")
    except ValueError:
        item.problem(f"the file {path!r} is not text")
    else:
        if len(text) <= _MOST:
            return text
        item.problem(f"the file {path!r} is longer than any secret")
    return None
