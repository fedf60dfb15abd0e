"""Problems of a form: the API's refusal, beside the field that it is about, in words for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .backend import ApiError

_PLACE = re.compile(r"\s*-? at (?:`\w+` in )?`\$\.?([^`]*)`")

_BOUND = re.compile(r"^Expected `(\w+)(?: \| \w+)*` (?:of length )?(<=|>=) (-?\d+)$")
_KIND = re.compile(r"^Expected `int(?: \| \w+)*`, got `\w+`$")
_LIMIT = re.compile(r"^\w+ must be (<=|>=) (-?\d+)$")
_NAME = "^[A-Za-z0-9][A-Za-z0-9._@+-]"
"""How the pattern of the names of admins begins."""

WHOLE_NUMBER = "Expected a whole number, such as 600."

_SEARCHES = ("name", "q", "search")
"""What lists call what is typed into their first field."""

_UNITS = {"int": "", "float": "", "str": " characters", "array": " lines", "object": " lines"}
"""What a bound of the API counts, in a form."""

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
    if error.status == 412:
        words = (
            "Somebody else has changed this since the page was loaded. Beside each field that says something "
            "else stands what holds now: what is saved from here on takes its place."
        )
        return {"": words}
    return {_field(error, tuple(fields)): sentence_of(error)}


def sentence_of(error: ApiError) -> str:
    """What is wrong, without where."""
    if error.message == "invalid cursor":
        return "The link to a further page is of another list, or was cut. Begin at the first page."
    words = _plain(_PLACE.sub("", error.description or error.message).strip())
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")


def query_problem(error: ApiError) -> str:
    """What is wrong with an address."""
    sentence, place = sentence_of(error), _PLACE.search(error.description)
    if place is None or not sentence.startswith("Expected "):
        return sentence
    name = "what is searched for" if place[1] in _SEARCHES else place[1]
    return f"{sentence.removesuffix('.')}, in {name}."


def overtaken(typed: Mapping[str, str], now: Mapping[str, str]) -> Problems:
    """
    What holds now, beside each field of a form that says something else: for who would save over another's change.

    @param typed: what the form says; a field that it has not is left alone.
    @param now: what would stand in the form if it was loaded now.
    """
    return {
        name: f"It is {text} now." if text else "It is empty now."
        for name, text in now.items()
        if name in typed and typed[name].split() != text.split()
    }


def _plain(words: str) -> str:
    """The words of the API's validation, which are for programs, as a person would say them; others as they are."""
    if _KIND.match(words):
        return WHOLE_NUMBER
    if words.lower().startswith("expected an amount of usd"):
        return "Expected an amount of USD such as 1500 or 0.25, with a point and without commas."
    limit = _LIMIT.match(words)
    if limit is not None:
        return f"Expected {limit[2]} at {'most' if limit[1] == '<=' else 'least'}."
    bound = _BOUND.match(words)
    if bound is not None and bound[1] in _UNITS:
        if bound[2] == ">=" and bound[3] == "1" and _UNITS[bound[1]]:
            return "There is nothing here, or on one side of a sign."
        return f"Expected {bound[3]}{_UNITS[bound[1]]} at {'most' if bound[2] == '<=' else 'least'}."
    if words.startswith("Invalid enum value"):
        return "Expected one of those that can be chosen."
    if words.startswith("Expected `str` matching regex"):
        if _NAME in words:
            return "Expected 1 to 64 letters, digits and . _ @ + - without spaces, the first a letter or digit."
        return "There is a character that cannot stand here."
    return words


def _field(error: ApiError, fields: tuple[str, ...]) -> str:
    place = _PLACE.search(error.description)
    if place is not None:
        first = place[1].split(".")[0].split("[")[0]
        return first if first in fields else ""
    text = f"{error.message} {error.description}"
    found = [(at.start(), name) for name in fields if (at := re.search(rf"\b{re.escape(name)}\b", text))]
    return min(found)[1] if found else "name" if error.code == "duplicate_name" and "name" in fields else ""
