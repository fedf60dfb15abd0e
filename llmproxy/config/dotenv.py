"""
Files of environment variables: C{NAME=value}, one a line.

A strict reader of what C{.env} files have in common: C{#} comments, an C{export} in front,
single quotes that take everything literally, double quotes with backslash escapes. What is not
understood is an error, not a variable of another value. Nothing is replaced within values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .document import read
from .problems import Problems

_LINE_END = re.compile(r"\r\n?|\n")
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.ASCII)
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_BARE = re.compile(r"([^\s'\"#][^'\"]*?)?\s*(?:(?:^|\s)#.*)?")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def parse_dotenv(text: str, problems: Problems) -> dict[str, str]:
    """The variables of a file; lines that are not understood are noted, without their values."""
    found: dict[str, str] = {}
    for number, line in enumerate(_LINE_END.split(text), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        value = _value(match[2]) if match else None
        if match is None or value is None:
            name = match[1] if match else ""
            problems.add(name, "expected NAME=value, NAME='value' or NAME=\"value\"", (number, 1))
        else:
            found[match[1]] = value
    return found


def _value(text: str) -> str | None:
    if match := _SINGLE.fullmatch(text):
        return match[1]
    if match := _DOUBLE.fullmatch(text):
        return _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), match[1])
    match = _BARE.fullmatch(text)
    return (match[1] or "") if match else None


class Value(str):
    """
    The value of a variable.

    @ivar source: where it comes from, for people; without the value.
    """

    source: str


def source_of(env: Mapping[str, str], name: str) -> str:
    """Where the value of a variable comes from, C{"the environment"} where nothing else is known of it."""
    return getattr(env.get(name), "source", "the environment")


def with_dotenv(env: Mapping[str, str], path: str | None) -> dict[str, str]:
    """
    C{env}, and below it what a file says: a variable that is set stays as it is; an empty one counts as not set.

    @param path: C{None} for no file.
    @return: what the file has anything to do with are L{Value}s.
    @raise ConfigError: the file cannot be read, or not be understood.
    """
    if path is None:
        return dict(env)
    problems = Problems(path)
    text = read(path, problems)
    found = parse_dotenv(text, problems) if text is not None else {}
    problems.fail()
    return dict(env) | {name: _above(env.get(name, ""), value, path) for name, value in found.items()}


def _above(text: str, below: str, path: str) -> Value:
    value = Value(text or below)
    value.source = path
    if text:
        other = "" if text == below else f" (it comes before {path}, where the value is another)"
        value.source = f"the environment{other}"
    return value
