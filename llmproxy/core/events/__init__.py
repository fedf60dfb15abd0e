"""Events as values: what they say, how they are written, and which of them a sink wants; pure."""

from __future__ import annotations

from .encoding import decode, encode
from .event import EXCHANGE, SCHEMA_VERSION, AttemptMade, Content, Event
from .jsonschema import json_schema
from .legacy import encode_legacy
from .ofrecord import event_of_record

__all__ = [
    "EXCHANGE",
    "SCHEMA_VERSION",
    "AttemptMade",
    "Content",
    "Event",
    "decode",
    "encode",
    "encode_legacy",
    "event_of_record",
    "json_schema",
]
