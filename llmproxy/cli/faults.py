"""
Exit codes of commands, and the errors that lead to them.

0 is done; 1 an error; 2 an error of use; 3 something was not found; 4 the server refused: not known, or not
allowed; 5 the server could not be reached, or cannot answer for now; 6 it conflicts with what is there; 130 Ctrl-C.
"""

from __future__ import annotations

import click


class Fault(click.ClickException):
    """What ends a command; its text goes to stderr, in one line."""

    exit_code = 1


class NotThere(Fault):
    exit_code = 3


class Refused(Fault):
    exit_code = 4


class Unreachable(Fault):
    exit_code = 5


class Conflicting(Fault):
    exit_code = 6


_BY_STATUS = {401: Refused, 403: Refused, 404: NotThere, 409: Conflicting, 410: NotThere, 412: Conflicting}
_AWAY = frozenset((429, 502, 503, 504))


def fault_of_status(status: int, words: str) -> Fault:
    """The error for a status of 400 or above."""
    if status in _AWAY:
        return Unreachable(words)
    return _BY_STATUS.get(status, Fault)(words)
