"""Problems of a form: the API's refusal, beside the field that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .backend import ApiError

_PLACE = re.compile(r"\s*-? at `\$\.?([^`]*)`")

Problems = dict[str, str]
"""Sentences by the names of fields; C{""} is the form as a whole."""


def problems_of(error: ApiError, fields: Iterable[str]) -> Problems:
    """
    What to show beside which field.

    @param fields: the names of those in the form, which are the API's.
    @raise ApiError: it is no fault of what was typed.
    """
    if error.status not in (400, 403, 404, 409, 412, 422):
        raise error
    words = _PLACE.sub("", error.description or error.message).strip()
    sentence = words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
    if error.status == 412:
        words = (
            "Somebody else has changed this since the page was loaded. Look at it as it is now, and change it again."
        )
        return {"": words}
    return {_field(error, tuple(fields)): sentence}


def _field(error: ApiError, fields: tuple[str, ...]) -> str:
    place = _PLACE.search(error.description)
    if place is not None:
        first = place[1].split(".")[0].split("[")[0]
        return first if first in fields else ""
    text = f"{error.message} {error.description}"
    found = [(at.start(), name) for name in fields if (at := re.search(rf"\b{re.escape(name)}\b", text))]
    return min(found)[1] if found else "name" if error.code == "duplicate_name" and "name" in fields else ""
