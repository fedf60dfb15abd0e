"""Errors as coding agents expect them, where that is another status than everybody else gets."""

from __future__ import annotations

from ..errors import ProxyError
from ..limiterrors import ModelNotAllowed
from .attributing.programs import program_of


class ModelRefused(ModelNotAllowed):
    """
    The same, with the status that Claude Code wants of a gateway: of a 403 it tells people that they could not be
    authenticated, and has them sign in again (seen with 2.1.197).
    """

    status = 400


def for_program(error: ProxyError, dialect: str, user_agent: str) -> ProxyError:
    """
    An error as a program expects it.

    @param dialect: of the API that was asked.
    """
    if dialect == "anthropic" and isinstance(error, ModelNotAllowed) and program_of(user_agent) == "claude-code":
        return ModelRefused(error.description, fields=error.fields)
    return error
