"""The one way in which a value is written, so that its hash is the hash of the value."""

from __future__ import annotations

import json
from typing import Any


def encode(value: Any) -> bytes:
    """
    JSON in ASCII, names sorted, no white space (what RFC 8785 is for, and sufficient for the values that we make).

    @raise ValueError: a number that JSON has not.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def decode(data: bytes) -> dict[str, Any]:
    """
    What L{encode} wrote, and nothing that it would have written in another way.

    @raise ValueError: it is something else.
    """
    try:
        value = json.loads(data.decode("ascii"))
        same = isinstance(value, dict) and encode(value) == data
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a record: {type(error).__name__}") from None
    if not same:
        raise ValueError("not as a record is written")
    found: dict[str, Any] = value
    return found
