"""The JSON Schema of events."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events import Content, Event, encode, event_of_record, json_schema
from llmproxy.core.events.notices import notice
from tests.web.manage.schemas import Schemas

from .samples import event, full_record


class JsonSchemaTests(SynchronousTestCase):
    def faults(self, written: Any) -> list[str]:
        """What the schema has to say against it."""
        schema = json_schema()
        text = json.dumps(schema["$defs"]).replace("#/$defs/", "#/components/schemas/")
        components = json.loads(text)
        components["Event"]["properties"]["schema_version"] = {"enum": [1]}
        return Schemas(components).faults(written, components["Event"])

    def test_every_field(self) -> None:
        """The schema knows each field that can be written."""
        schema = json_schema()
        self.assertEqual(
            list(schema["$defs"]["Event"]["properties"]), [each.name for each in msgspec.structs.fields(Event)]
        )
        self.assertEqual(schema["$defs"]["Event"]["required"], ["id", "schema_version", "kind", "time"])
        self.assertNotIn("additionalProperties", schema["$defs"]["Event"])

    def test_what_is_written(self) -> None:
        """Events of every kind are what the schema says."""
        content = Content(request_body=[1, {"a": None}], response_body="x", response_headers={"a": ["b"]})
        for made in (event(), event_of_record(full_record(), content=content), notice("budget.soft", 1.5, details={})):
            self.assertEqual(self.faults(json.loads(encode(made))), [], made)

    def test_what_is_none(self) -> None:
        """What is no event of this schema is none by the schema too."""
        written = json.loads(encode(event()))
        for changes in ({"schema_version": 2}, {"status": "200"}, {"tags": {"a": 1}}, {"time": 5}, {"cost": 0.5}):
            self.assertNotEqual(self.faults({**written, **changes}), [], changes)
        del written["id"]
        self.assertNotEqual(self.faults(written), [])
