"""Tables of cases whose rows name themselves when they fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def row(*values: object) -> Iterator[None]:
    """
    Put C{values} before what a failed assertion says, and pass the failure on: the first row that fails ends a test.

    C{for text, expected in TABLE: with row(text): self.assertEqual(read(text), expected)}
    """
    try:
        yield
    except AssertionError as error:
        error.args = (f"row {', '.join(map(repr, values))}: {error}",)
        raise
