"""The JSON Schema of events."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events import Event, json_schema


class JsonSchemaTests(SynchronousTestCase):
    def test_every_field(self) -> None:
        """The schema knows each field that can be written."""
        schema = json_schema()
        self.assertEqual(
            list(schema["$defs"]["Event"]["properties"]), [each.name for each in msgspec.structs.fields(Event)]
        )
        self.assertEqual(schema["$defs"]["Event"]["required"], ["id", "schema_version", "kind", "time"])
        self.assertNotIn("additionalProperties", schema["$defs"]["Event"])
