"""The model that a request is for, where its target names it."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from ..core.models import named
from .registry import PLACES

_IN_PATH = re.compile(rf"/(?:{'|'.join(map(re.escape, PLACES.naming))})/([^/?:]+)".encode("ascii"))
_IN_QUERY = re.compile(rb"[?&]model=([^&]+)")


def model_in_target(target: bytes) -> str:
    """
    The model in a path or a query; C{""} where there is none.

    The query is that of OpenAI's Realtime API. It gives a name and is no check of what is allowed.
    """
    path, mark, query = target.partition(b"?")
    found = _IN_PATH.search(path) or _IN_QUERY.search(mark + query)
    return named(unquote_to_bytes(found[1]).decode("utf-8", "replace")) if found else ""


def with_model(target: bytes, model: str) -> bytes:
    """The target with another model where L{model_in_target} finds one; without one as it is."""
    path, mark, query = target.partition(b"?")
    written = quote(model, safe="-._~@").encode("ascii")
    found = _IN_PATH.search(path)
    if found is not None:
        return target[: found.start(1)] + written + target[found.end(1) :]
    found = _IN_QUERY.search(mark + query)
    if found is None:
        return target
    begin = len(path)
    return target[: begin + found.start(1)] + written + target[begin + found.end(1) :]
