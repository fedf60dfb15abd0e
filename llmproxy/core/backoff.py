"""Delays before something that failed is tried again."""

from __future__ import annotations


def delay(failures: int, base: float = 0.1, most: float = 30.0) -> float:
    """
    Seconds before the next attempt: doubling with each of C{failures} in a row, up to C{most}.

    The first failure waits C{base}; none waits nothing.
    """
    if failures <= 0:
        return 0.0
    # Beyond 2**40 the power is only a large number.
    return min(most, base * 2.0 ** min(failures - 1, 40))
