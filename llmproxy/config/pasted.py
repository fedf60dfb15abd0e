"""A check of a configuration that somebody has pasted: what is wrong with it, and nothing is looked at but the text."""

from __future__ import annotations

from ..errors import ConfigError

NAME = "pasted"
"""What problems call the text."""


def check_pasted(text: str) -> tuple[str, ...]:
    """
    Everything that is wrong with a text, each with its line; empty if nothing is.

    No variable is replaced and no file touched: what they stand for counts as good. What is quoted is what was pasted.
    """
    from .compile import reserved_names
    from .document import MAX_FILE, TooMuch, compose
    from .problems import Problems
    from .schema import read_config

    if len(text.encode("utf-8", "replace")) > MAX_FILE:
        return (f"{NAME}: is larger than {MAX_FILE} bytes",)
    problems = Problems(NAME)
    try:
        root = compose(text, problems, {}, is_pasted=True)
        if root is not None:
            read_config(root, reserved_names(), None)
        problems.fail()
    except TooMuch:
        return (f"{NAME}: its aliases repeat too many values",)
    except ConfigError as error:
        return tuple(error.problems)
    return ()
