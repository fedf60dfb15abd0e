"""The JSON Schema of events."""

from __future__ import annotations

from typing import Any

import msgspec

from .event import SCHEMA_VERSION, Event

SCHEMA_ID = f"urn:llmproxy:event:{SCHEMA_VERSION}"


def json_schema() -> dict[str, Any]:
    """Of schema 1, as C{docs/event-1.schema.json} has it. Fields that are not in it may come: readers ignore them."""
    schema = msgspec.json.schema(Event)
    event = schema["$defs"]["Event"]
    event["properties"]["time"] = {"type": "string", "format": "date-time"}
    event["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    event["required"] = ["id", "schema_version", "kind", "time"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": f"An event of llmproxy, schema {SCHEMA_VERSION}",
        **schema,
    }
