"""Names of models, as requests have them."""

from __future__ import annotations

import json

LONGEST = 200
"""Bytes. Names of models in use are below 100; a longer one is none that is known."""


def named(model: object) -> str:
    """C{model} if it can be the name of one, else C{""}."""
    return model if isinstance(model, str) and len(model) <= LONGEST and model.isprintable() else ""


def named_in(written: bytes) -> str:
    """The name in the JSON of a text, else C{""}."""
    try:
        return named(json.loads(written))
    except ValueError:
        return ""
