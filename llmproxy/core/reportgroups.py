"""Names of what usage can be grouped by."""

from __future__ import annotations

from difflib import get_close_matches

PERIODS = ("hour", "day", "week", "month")
"""From the finest on."""

GROUPS = (
    *PERIODS,
    "project",
    "token",
    "api",
    "model",
    "served_model",
    "endpoint",
    "status",
    "user",
    "session",
    "program",
    "person",
)

TAG, METADATA = "tag:", "metadata."
"""What a tag or a member of the metadata is named with, before its own name."""

MOST_GROUPS = 6
"""In one question: more make rows that nobody reads."""

LONGEST = 128
"""Characters of the name of a tag or of a member of the metadata."""


def groups_of(text: str) -> tuple[str, ...]:
    """
    The groups that a list with commas names; none for C{""}.

    @raise ValueError: one is not known, stands twice, or there are too many; the text says what to do.
    """
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    if len(names) > MOST_GROUPS:
        raise ValueError(f"{len(names)} groups: at most {MOST_GROUPS} at a time")
    for at, name in enumerate(names):
        if not is_group(name):
            raise ValueError(f"unknown group {name[:LONGEST]!r}: {_advice(name)}")
        if name in names[:at]:
            raise ValueError(f"the group {name!r} stands twice: once is enough")
    return names


def is_group(name: str) -> bool:
    """Whether usage can be grouped by it."""
    if name in GROUPS:
        return True
    kind = next((each for each in (TAG, METADATA) if name.startswith(each)), "")
    return bool(kind) and len(kind) < len(name) <= len(kind) + LONGEST and name.isprintable()


def _advice(name: str) -> str:
    lowered = name.lower().replace("-", "_").removesuffix("_id").removesuffix("_name")
    near = get_close_matches(lowered, (*GROUPS, TAG + "NAME", METADATA + "NAME"), 1)
    known = f"known are {', '.join(GROUPS)}, {TAG}NAME and {METADATA}NAME"
    return f"did you mean {near[0]}? {known[0].upper()}{known[1:]}" if near else known
