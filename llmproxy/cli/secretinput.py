"""Secrets for commands: from a prompt, standard input, a file, the environment; as an option only with a warning."""

from __future__ import annotations

import os
import sys

import click

from .faults import Fault
from .output import warn

MAX_SECRET = 16 * 1024
"""Bytes of a file with a secret in it."""


def read_secret_file(path: str) -> str:
    """The text of a file, or of standard input for C{-}, without white space around it."""
    try:
        if path == "-":
            text = sys.stdin.read(MAX_SECRET + 1)
        else:
            with open(path, encoding="utf-8") as file:
                text = file.read(MAX_SECRET + 1)
    except OSError as error:
        raise Fault(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Fault(f"{path}: is not text") from None
    if len(text) > MAX_SECRET:
        raise Fault(f"{path}: is longer than any secret")
    if not text.strip():
        raise Fault(f"{'standard input' if path == '-' else path}: holds no secret")
    if len(text.strip().splitlines()) > 1:
        raise Fault(f"{'standard input' if path == '-' else path}: holds several lines; expected one, with the secret")
    return text.strip()


def secret_of_options(value: str | None, path: str | None, variable: str, option: str, what: str) -> str:
    """
    The secret that C{option} asks for.

    @param value: of C{--<option>}: C{-} is standard input, C{""} a prompt; anything else is the secret itself, and
        warned of.
    @param path: of C{--<option>-file}.
    @param variable: of the environment, asked when neither option was given.
    @raise Fault: there is none, and nobody at a terminal to ask.
    """
    if path is not None:
        return read_secret_file(path)
    if value:
        return read_secret_file("-") if value == "-" else _visible(value, option, variable)
    if value is None and os.environ.get(variable):
        return os.environ[variable]
    if not sys.stdin.isatty():
        raise Fault(f"{what} is needed: --{option} - reads standard input, --{option}-file FILE a file; or {variable}")
    typed: str = click.prompt(what, hide_input=True, err=True)
    return typed.strip()


def _visible(value: str, option: str, variable: str) -> str:
    warn(f"everybody on this machine can see --{option}; use --{option}-file or {variable}")
    return value
