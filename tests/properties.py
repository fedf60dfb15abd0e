"""
How many examples a property is tried with: a fifth of what it is meant to have, for who waits for the tests.

With C{LLMPROXY_EXAMPLES=1} it has them all, as in C{make properties}; 10 is ten times as many.
"""

from __future__ import annotations

import os

SHARE = float(os.environ.get("LLMPROXY_EXAMPLES") or 0.2)
_FEWEST = 10


def examples(count: int) -> int:
    """Of C{count}, as many as this run has time for."""
    return max(min(count, _FEWEST), round(count * SHARE))
