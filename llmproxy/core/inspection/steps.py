"""Work in slices, so that no body can hold the process."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Each C{next} does a slice of a few milliseconds at most; the result is what the generator returns."""

SLICE = 256 * 1024
"""Bytes that a reader passes in one slice, where it looks at each only in C."""


def finish(steps: Steps[T]) -> T:
    """Do all slices at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
