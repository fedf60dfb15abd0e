"""The keys of C{apis.<name>.capture}, and how each is read."""

from __future__ import annotations

from typing import Any

from . import rules
from .capture import CaptureConfig
from .document import Item
from .readers import NOTED, Reader, all_of, by, flag, section, share
from .units import parse_size

MOST = 4 * 1024 * 1024
"""Bytes of a body: reading JSON of this size keeps the reactor for some 20 ms, on whatever thread it is read."""


def captured_size(text: str) -> int:
    """Bytes of a body, up to L{MOST}."""
    found = parse_size(text)
    if found > MOST:
        raise ValueError(f"at most {MOST // 2**20}MiB of a body can be captured, got {text[:40]!r}")
    return found


def _header(text: str) -> str:
    from ..core.redaction.names import is_credential

    name = rules.header_name(text).lower()
    if is_credential(name):
        raise ValueError(f"{name[:60]!r} carries a credential, and is never captured")
    return name


def redact_rule(item: Item) -> Any:
    """A path or the name of a pattern, or a mapping with an expression."""
    from ..core.redaction.rules import rule_of

    if item.is_mapping:
        value: Any = {key: child.text() for key, child in item.mapping().items()}
    else:
        value = item.text()
    if value is None:
        return NOTED
    try:
        rule_of(value)
    except ValueError as error:
        item.problem(str(error))
        return NOTED
    return value


def _redact(item: Item) -> Any:
    from ..core.redaction.rules import MOST_RULES

    found = all_of(redact_rule)(item)
    if len(found) > MOST_RULES:
        item.problem(f"at most {MOST_RULES} rules for one API: each reads every text")
        return NOTED
    return found


CAPTURE_KEYS: dict[str, Reader] = {
    "enabled": flag,
    "request": by(captured_size),
    "response": by(captured_size),
    "headers": all_of(by(_header)),
    "sample": by(share),
    "redact": _redact,
    "opt_out": flag,
}


def capture(item: Item) -> Any:
    """C{false} or C{true}, or what there is to say in particular."""
    if item.is_mapping:
        return section(CaptureConfig, CAPTURE_KEYS)(item)
    enabled = flag(item)
    return NOTED if enabled is NOTED else CaptureConfig(enabled)
