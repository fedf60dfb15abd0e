"""Versions that a change depends on: it is made only if nobody else has made one meanwhile."""

from __future__ import annotations

from collections.abc import Collection

from ..errors import PreconditionFailed

Versions = Collection[int] | None
"""Those of a token or a project that a change may be made to; C{None} for any."""


def required_version(wanted: Versions, present: int) -> int | None:
    """
    The version that the store is to find when it makes a change; C{None} for any.

    @param present: the one that it has now.
    @raise PreconditionFailed: it is not among those that are wanted.
    """
    if wanted is None:
        return None
    if present not in wanted:
        raise PreconditionFailed("it has been changed since")
    return present
