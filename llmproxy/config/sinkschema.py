"""
The keys of C{sinks}, and how each is read.

What is not a key here is a setting of the sink's type, which reads it when the sink is made: there are more types than
are known here.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from . import rules
from .document import Item
from .readers import NOTED, Reader, all_of, by, count, positive_duration, share, size_or_none, text_that
from .secretvalues import secret_value
from .sinks import NAME, SinkConfig, is_secret
from .units import parse_duration, parse_size

_PASSWORD = re.compile(r"://[^/?@]*:([^/?]*)@")


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"expected up to 40 letters, digits, _ and -, got {text[:60]!r}")
    return text


def _type(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(f"expected the type of a sink, such as file or http, got {text[:40]!r}")
    return text


def _zero_or_size(text: str) -> int:
    return size_or_none(text) or 0


def _queue_bytes(text: str) -> int:
    found = parse_size(text)
    if found < 1024:
        raise ValueError(f"expected a size from 1024 bytes, got {text[:40]!r}")
    return found


def when(item: Item) -> Any:
    """Values by the names of fields: a value, or a list of which one is enough."""
    return {name: _values(child) for name, child in item.mapping().items()}


def _values(item: Item) -> Any:
    if item.is_list:
        return [value for value in map(_value, item.items()) if value is not NOTED]
    return _value(item)


def _value(item: Item) -> Any:
    if item.is_null:
        return None
    text = item.text()
    return NOTED if text is None else text


SINK_KEYS: dict[str, Reader] = {
    "name": by(_name),
    "type": by(_type),
    "when": when,
    "sample": by(share),
    "batch": by(count(1)),
    "flush_interval": by(parse_duration),
    "queue": by(count(1)),
    "queue_bytes": by(_queue_bytes),
    "spool": by(_zero_or_size),
    "dead_letters": by(_zero_or_size),
    "timeout": by(positive_duration),
    "attempts": by(count(0)),
    "directory": text_that(rules.directory),
}


def read_sinks(item: Item) -> Any:
    """A list of sinks; what is wrong with one is noted."""
    sinks = all_of(_sink)(item)
    names = [each.name for each in sinks]
    for name in sorted({name for name in names if names.count(name) > 1}):
        item.problem(f"two sinks have the name {name!r}: it is that of their files, and of their counters")
    return sinks


def _sink(item: Item) -> Any:
    found = item.mapping()
    if not item.is_mapping:
        return NOTED
    known: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for key, child in found.items():
        if child.is_null:
            continue
        value = SINK_KEYS[key](child) if key in SINK_KEYS else _setting(key, child)
        if value is not NOTED:
            (known if key in SINK_KEYS else settings)[key] = value
    for key in ("name", "type"):
        if key not in found or found[key].is_null:
            item.problem(f"{key} is missing: a sink is {{name: log, type: file, path: ./data/events.jsonl}}")
    if "name" not in known or "type" not in known:
        return NOTED
    sink = SinkConfig(**known, settings=settings)
    try:
        sink.filter()
    except ValueError as error:
        found.get("when", item).problem(str(error).removeprefix("when: "))
    return sink


def _setting(key: str, item: Item) -> Any:
    """A text, a list or a mapping of them; what is secret by its name is named, and does not stand in the file."""
    if item.is_mapping:
        pairs = [(name, _inner(key, name, child)) for name, child in item.mapping().items() if not child.is_null]
        return {name: value for name, value in pairs if value is not NOTED}
    if item.is_list:
        return all_of(lambda child: _setting(key, child))(item)
    raw = item.node.value if isinstance(item.node, yaml.ScalarNode) else ""
    if is_secret(key):
        return secret_value(item) or NOTED
    password = _PASSWORD.search(raw)
    if password is not None and "$" not in password[1]:
        item.problem("expected a variable where a password stands, as in url: ${REDIS_URL} (it is not shown)")
        return NOTED
    text = item.text()
    return NOTED if text is None else text


def _inner(key: str, name: str, item: Item) -> Any:
    """What stands in a mapping: of the fields of a header section, those that are credentials are named too."""
    raw = item.node.value if isinstance(item.node, yaml.ScalarNode) else ""
    if is_secret(name) and "${" not in raw:
        sentence = "expected ${VARIABLE} in it, as in Bearer ${TOKEN}: a key itself does not stand in the file"
        item.problem(f"{sentence} (it is not shown)")
        return NOTED
    text = item.text()
    return NOTED if text is None else text
