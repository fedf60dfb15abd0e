"""The name of the model that a request is for, where its target has it."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

LONGEST = 200
"""Bytes. Names of models in use are below 100; a longer one is none that is known."""

_IN_PATH = re.compile(rb"/(?:deployments|engines|models?|tunedModels)/([^/?:]+)")
_IN_QUERY = re.compile(rb"[?&]model=([^&]+)")


def model_in_target(target: bytes) -> str:
    """
    The model in a path or a query; C{""} where there is none.

    Paths are those of Azure (C{/openai/deployments/NAME/…}), Gemini and Vertex
    (C{/v1beta/models/NAME:generateContent}), Bedrock (C{/model/NAME/invoke}) and OpenAI (C{/v1/models/NAME}), the query
    is that of OpenAI's Realtime API; all read on 30 November 2026. It gives a name and is no check of what is allowed.
    """
    path, mark, query = target.partition(b"?")
    found = _IN_PATH.search(path) or _IN_QUERY.search(mark + query)
    return named(unquote_to_bytes(found[1]).decode("utf-8", "replace")) if found else ""


def named(model: object) -> str:
    """C{model} if it can be the name of one, else C{""}."""
    return model if isinstance(model, str) and len(model) <= LONGEST and model.isprintable() else ""
