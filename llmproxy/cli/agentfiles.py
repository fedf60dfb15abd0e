"""Configuration files of coding agents: what is theirs stays as it is, what is ours is put in."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from ..core.agentsetup import CLAUDE_CREDENTIALS, PROVIDER, merged
from .faults import Fault

MAX_FILE = 4 * 2**20
"""Bytes; what people write by hand is far below."""


def claude_file() -> str:
    """Where Claude Code has the settings of its user."""
    return os.path.join(os.environ.get("CLAUDE_CONFIG_DIR") or os.path.expanduser("~/.claude"), "settings.json")


_MANAGED = {"darwin": "/Library/Application Support/ClaudeCode", "win32": r"C:\Program Files\ClaudeCode"}


def claude_managed_file(platform: str = sys.platform) -> str:
    """Where Claude Code has the settings of its machine, which its user cannot change."""
    return os.path.join(_MANAGED.get(platform, "/etc/claude-code"), "managed-settings.json")


def codex_file() -> str:
    """Where Codex has its configuration."""
    return os.path.join(os.environ.get("CODEX_HOME") or os.path.expanduser("~/.codex"), "config.toml")


def as_json(settings: Mapping[str, Any]) -> str:
    # What Python reads as infinite it would write as no JSON.
    return json.dumps(settings, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_toml(settings: Mapping[str, Any]) -> str:
    """As people write it: our entry under a head of its own."""
    return with_toml("", settings)


def with_json(before: str, settings: Mapping[str, Any]) -> str:
    """
    A text of Claude Code's with ours in it.

    @raise ValueError: it is not one.
    """
    try:
        there = json.loads(before) if before.strip() else {}
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} (line {error.lineno})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(there, dict) or not isinstance(there.get("env", {}), dict):
        raise ValueError("expected a JSON object, with an object as its env")
    return as_json(merged(there, settings))


def left_in(text: str) -> list[str]:
    """The variables in a text of Claude Code's that win over what we put in."""
    found = json.loads(text).get("env", {})
    return [name for name in CLAUDE_CREDENTIALS if found.get(name)]


def with_toml(before: str, settings: Mapping[str, Any]) -> str:
    """
    A text of Codex's with ours in it; comments and the order of what is there stay. Our entry is made anew: of two ways
    to come by a token Codex takes none.

    @raise ValueError: it is not one.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError
    from tomlkit.items import InlineTable

    try:
        document = tomlkit.parse(before)
    except TOMLKitError as error:
        raise ValueError(f"is not TOML: {error}") from None
    providers = document.get("model_providers")
    if providers is None:
        providers = document["model_providers"] = tomlkit.table(is_super_table=True)
    elif not isinstance(providers, Mapping):
        raise ValueError("expected a table as its model_providers")
    for name, value in settings.items():
        if name != "model_providers":
            document[name] = value
    # Nothing but an inline table can be within one.
    ours: Any = tomlkit.inline_table() if isinstance(providers, InlineTable) else tomlkit.table()
    for name, value in settings["model_providers"][PROVIDER].items():
        if isinstance(value, Mapping):
            inline = tomlkit.inline_table()
            inline.update(value)
            ours[name] = inline
        else:
            ours[name] = value
    providers[PROVIDER] = ours  # type: ignore[index]
    text = tomlkit.dumps(document)
    # What a table is inserted into can be written in more ways than any library has tried.
    if tomlkit.parse(text).unwrap()["model_providers"][PROVIDER] != settings["model_providers"][PROVIDER]:
        raise ValueError("is written in a way that nothing can be put into; paste the lines yourself")
    return text


def write_into(path: str, change: Callable[[str], str], for_all: bool = False) -> tuple[bool, str]:
    """
    Change a file as a whole, or not at all; what was there is kept beside it, with C{.bak} behind its name.

    @param for_all: everybody on the machine may read a file that is new; else its owner alone.
    @return: whether anything was written, and the text that is there now.
    @raise Fault: it cannot be read or written, or is not what it should be.
    """
    place = os.path.realpath(path)
    try:
        before, mode = _read(place, 0o644 if for_all else 0o600)
        after = change(before or "")
        if after == before:
            return False, after
        os.makedirs(os.path.dirname(place), mode=0o755 if for_all else 0o700, exist_ok=True)
        if before is not None:
            _replace(f"{place}.bak", before, mode)
        _replace(place, after, mode)
    except OSError as error:
        raise Fault(f"{path}: cannot be written: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Fault(f"{path}: is not UTF-8") from None
    except ValueError as error:
        raise Fault(f"{path}: {error}") from None
    return True, after


def _read(path: str, new: int) -> tuple[str | None, int]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read(MAX_FILE + 1)
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except FileNotFoundError:
        return None, new
    if len(text) > MAX_FILE:
        raise ValueError(f"is longer than {MAX_FILE} characters")
    return text, mode


def _replace(path: str, text: str, mode: int) -> None:
    fd, name = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
