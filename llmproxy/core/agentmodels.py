"""Lists of models as coding agents read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from attrs import frozen

RELEASED = "2025-01-01T00:00:00Z"
"""Anthropic's shape has a date, which nobody of us knows."""


@frozen
class ShownModel:
    """
    @ivar details: further members, JSON as text; C{""} for none.
    """

    id: str
    display_name: str = ""
    details: str = ""

    @property
    def label(self) -> str:
        return self.display_name or self.id

    def more(self) -> dict[str, Any]:
        """Those members."""
        found: dict[str, Any] = msgspec.json.decode(self.details) if self.details else {}
        return found


def claude_list(models: Iterable[ShownModel]) -> bytes:
    """Anthropic's C{GET /v1/models}, whole on one page; what reads OpenAI's finds its members too."""
    data = [
        {
            "type": "model",
            "object": "model",
            "id": each.id,
            "display_name": each.label,
            "created_at": RELEASED,
            **each.more(),
        }
        for each in models
    ]
    ids = [each["id"] for each in data]
    page = {
        "object": "list",
        "data": data,
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }
    return msgspec.json.encode(page) + b"\n"


_CODEX: dict[str, Any] = {
    "description": None,
    "default_reasoning_level": "medium",
    "supported_reasoning_levels": [
        {"effort": "low", "description": "Answers fast"},
        {"effort": "medium", "description": "Thinks a while"},
        {"effort": "high", "description": "Thinks longest"},
    ],
    "shell_type": "shell_command",
    "visibility": "list",
    "supported_in_api": True,
    "priority": 0,
    "upgrade": None,
    "base_instructions": "",
    "supports_reasoning_summaries": True,
    "support_verbosity": False,
    "default_verbosity": None,
    "apply_patch_tool_type": "freeform",
    "truncation_policy": {"mode": "bytes", "limit": 10_000},
    "supports_parallel_tool_calls": True,
    "context_window": 272_000,
    "experimental_supported_tools": [],
}
"""Members that Codex wants of each model (seen with 0.171.0); C{details} says others."""


def codex_list(models: Iterable[ShownModel]) -> bytes:
    """Codex's C{GET /models}."""
    found = [
        {**_CODEX, "slug": each.id, "display_name": each.label, "priority": number, **each.more()}
        for number, each in enumerate(models)
    ]
    return msgspec.json.encode({"models": found}) + b"\n"
