"""The model that a request is for, where its target names it."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

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
