"""JSON Schema as our document uses it: is it this, make me one, make me one that is not."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

KNOWN = {
    "$ref",
    "title",
    "description",
    "default",
    "type",
    "enum",
    "anyOf",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "required",
    "additionalProperties",
    "propertyNames",
    "maxProperties",
}
"""Keywords; one that is not here would be ignored in silence, so it is complained about."""

_TYPES = {"string": str, "boolean": bool, "array": list, "object": dict, "number": (int, float), "null": type(None)}
_REFERENCE = "#/components/schemas/"


class Schemas:
    """@param components: what C{$ref} refers to."""

    def __init__(self, components: dict[str, Any]) -> None:
        self._components = components

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self._components[schema["$ref"].removeprefix(_REFERENCE)]
        unknown = set(schema) - KNOWN
        if unknown:
            raise AssertionError(f"teach this module {unknown}")
        return schema

    # -- is it this

    def faults(self, value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
        """What is wrong with a value; nothing if it is what the schema says."""
        schema = self.resolve(schema)
        if "anyOf" in schema:
            each = [self.faults(value, one, at) for one in schema["anyOf"]]
            return [] if not all(each) else min(each, key=len)
        if "enum" in schema:
            return [] if value in schema["enum"] else [f"{at}: not one of {schema['enum']}"]
        kind = schema.get("type")
        if kind is not None and not _is(value, kind):
            return [f"{at}: no {kind}"]
        if isinstance(value, str):
            return _text_faults(value, schema, at)
        if isinstance(value, int) and not isinstance(value, bool):
            low, high = schema.get("minimum", value), schema.get("maximum", value)
            return [] if low <= value <= high else [f"{at}: not from {low} to {high}"]
        if isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                return [f"{at}: of wrong length"]
            return [
                fault
                for n, one in enumerate(value)
                for fault in self.faults(one, schema.get("items", {}), f"{at}[{n}]")
            ]
        return self._object_faults(value, schema, at) if isinstance(value, dict) else []

    def _object_faults(self, value: dict[str, Any], schema: dict[str, Any], at: str) -> list[str]:
        found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        if len(value) > schema.get("maxProperties", len(value)):
            found.append(f"{at}: too many members")
        more = schema.get("additionalProperties", True)
        for name, one in value.items():
            found += self.faults(name, schema.get("propertyNames", {}), f"{at}: {name!r}")
            expected = schema.get("properties", {}).get(name, more)
            if expected is False:
                found.append(f"{at}: {name} is not known")
            elif isinstance(expected, dict):
                found += self.faults(one, expected, f"{at}.{name}")
        return found

    # -- make me one

    def valid(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        schema = self.resolve(schema)
        if "anyOf" in schema:
            return st.one_of([self.valid(one) for one in schema["anyOf"]])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        kind = schema["type"]
        if kind == "object":
            return self._objects(schema)
        if kind == "integer":
            return st.integers(schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1))
        if kind == "string":
            return _texts(schema)
        if kind == "array":
            few = min(3, schema["maxItems"])
            return st.lists(self.valid(schema["items"]), min_size=schema.get("minItems", 0), max_size=few)
        return {"boolean": st.booleans(), "null": st.none()}[kind]

    def _objects(self, schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        if "properties" not in schema:
            names = self.valid({"type": "string", **schema["propertyNames"]})
            values = self.valid(schema["additionalProperties"])
            return st.dictionaries(names, values, max_size=min(3, schema["maxProperties"]))
        members = {name: self.valid(one) for name, one in schema["properties"].items()}
        required = {name: members.pop(name) for name in schema.get("required", ())}
        return st.fixed_dictionaries(required, optional=members)

    # -- make me one that is not

    def invalid(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        """Values that are wrong in one place."""
        schema = self.resolve(schema)
        others: st.SearchStrategy[Any] = st.sampled_from([None, True, -1, 1.5, "\n", "x" * 5000, [], {"x": "y"}, 2**70])
        if schema.get("type") == "object" and "properties" in schema:
            others = st.one_of(others, *self._spoilt(schema))
        return others.filter(lambda value: self.faults(value, schema))

    def _spoilt(self, schema: dict[str, Any]) -> list[st.SearchStrategy[Any]]:
        whole = self.valid(schema)
        spoilt: list[st.SearchStrategy[Any]] = [whole.map(lambda value: {**value, "unknown_member": 1})]
        for name in schema.get("required", ()):
            spoilt.append(whole.map(lambda value, name=name: {each: value[each] for each in value if each != name}))
        for name, one in schema["properties"].items():
            spoilt.append(st.tuples(whole, self.invalid(one)).map(lambda pair, name=name: {**pair[0], name: pair[1]}))
        return spoilt


def _is(value: Any, kind: str) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def _text_faults(value: str, schema: dict[str, Any], at: str) -> list[str]:
    found = []
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        found.append(f"{at}: of wrong length")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: does not match")
    if schema.get("format") == "date-time":
        try:
            if datetime.fromisoformat(value.replace("Z", "+00:00")).tzinfo is None:
                found.append(f"{at}: without a zone")
        except ValueError:
            found.append(f"{at}: no date and time")
    return found


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        start = datetime(2023, 11, 1)
        return st.datetimes(start, start + timedelta(days=500), timezones=st.just(timezone.utc)).map(datetime.isoformat)
    longest = min(schema.get("maxLength", 300), 300)
    some = st.one_of(st.text(min_size=schema.get("minLength", 0), max_size=longest), st.text("abXY09._-", max_size=40))
    if "pattern" in schema:
        some = st.one_of(some, st.text("abcXYZ019", min_size=1, max_size=min(longest, 60)))
    return some.filter(lambda text: not _text_faults(text, schema, "") and _is_text(text))


def _is_text(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text
