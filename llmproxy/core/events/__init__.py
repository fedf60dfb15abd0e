"""
Events as values: what they say, how they are written, and which of them a sink wants; pure.

The names are those that sinks need; each is imported when it is asked for, as the configuration reads settings from
here and needs nothing of the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .encoding import decode as decode
    from .encoding import encode as encode
    from .event import EXCHANGE as EXCHANGE
    from .event import SCHEMA_VERSION as SCHEMA_VERSION
    from .event import AttemptMade as AttemptMade
    from .event import Content as Content
    from .event import Event as Event
    from .jsonschema import json_schema as json_schema
    from .legacy import encode_legacy as encode_legacy
    from .ofrecord import event_of_record as event_of_record

_NAMES = {
    "EXCHANGE": "event",
    "SCHEMA_VERSION": "event",
    "AttemptMade": "event",
    "Content": "event",
    "Event": "event",
    "decode": "encoding",
    "encode": "encoding",
    "encode_legacy": "legacy",
    "event_of_record": "ofrecord",
    "json_schema": "jsonschema",
}

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


def __getattr__(name: str) -> Any:
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
