"""Idle time of a kept connection to upstream: less than upstream keeps it."""

from __future__ import annotations

import re

from ..apisettings import USUAL_IDLE
from ..message import Fields
from .fields import values

LONGEST_IDLE = 90.0
"""Seconds that an upstream is taken at its word where nothing else is configured."""

_MARGIN = 1.0
_TIMEOUT = re.compile(rb"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,6})(?![0-9])", re.IGNORECASE)


def announced(fields: Fields) -> float | None:
    """The seconds of C{Keep-Alive: timeout=}, RFC 2068 section 19.7.1.1; C{None} where it does not say."""
    for value in values(fields, b"keep-alive"):
        match = _TIMEOUT.search(value)
        if match is not None:
            return float(match[1])
    return None


def kept_for(configured: float, said: float | None) -> float:
    """
    Seconds to keep a connection.

    @param configured: what the configuration says; L{USUAL_IDLE} leaves it to upstream, another number is the most.
    @param said: what upstream L{announced}.
    """
    if said is None:
        return configured
    most = LONGEST_IDLE if configured == USUAL_IDLE else configured
    # What is under way needs time: upstream counts from when it sent, we from when it came.
    return min(most, max(said - _MARGIN, said / 2))
