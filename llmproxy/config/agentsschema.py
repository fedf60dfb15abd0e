"""The keys of C{agents}, and how each is read."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from typing import Any

import yaml
from attrs import evolve

from ..core.agentpaths import RESERVED
from ..core.endpoints import Endpoints
from .agents import (
    EVERYBODY,
    AgentModelConfig,
    AgentModelsConfig,
    AgentsConfig,
    AgentSettingsConfig,
    ClaudeConfig,
    CodexConfig,
    SignInConfig,
)
from .document import Item
from .readers import NOTED, Reader, a_file, all_of, by, flag, one_of, positive_duration, section

LONGEST_GROUP = 255
LONGEST_MODEL = 255

MISSING = "telemetry: sinks reads OTLP with OpenTelemetry's package: pip install 'txllmproxy[otel]'; or say drop"

MAX_SETTINGS = 256 * 1024
"""Bytes of the settings of one group: what people write by hand is far below."""

_INTEGER = re.compile(r"[-+]?[0-9]+")


def _named(longest: int) -> Reader:
    def rule(text: str) -> str:
        if not text or len(text) > longest or not text.isprintable():
            raise ValueError(f"expected a name of up to {longest} characters, got {text[:40]!r}")
        return text

    return by(rule)


def groups(item: Item) -> Any:
    """One, or a list of them."""
    read = _named(LONGEST_GROUP)
    if not item.is_list:
        one = read(item)
        return NOTED if one is NOTED else (one,)
    found = all_of(read)(item)
    if not found:
        item.problem(f"expected at least one group; {EVERYBODY!r} is everybody")
    return found


def json_object(item: Item) -> Any:
    """A mapping of YAML, or a text that is a JSON object: as JSON text."""
    if item.is_mapping:
        value = _value(item)
        return NOTED if value is NOTED else canonical(value)
    text = item.text()
    if text is None:
        return NOTED
    try:
        return checked(text)
    except ValueError as error:
        item.problem(str(error))
        return NOTED


def checked(text: str) -> str:
    """
    A JSON object, written anew.

    @raise ValueError: it is none; the words name the place, and hold nothing of it.
    """
    if len(text.encode("utf-8", "replace")) > MAX_SETTINGS:
        raise ValueError(f"is longer than {MAX_SETTINGS} bytes")
    try:
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object: {...}")
    return canonical(value)


def canonical(value: Any) -> str:
    """The same value is the same text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("is not valid JSON: a member stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"is not valid JSON: {name}")


def _value(item: Item) -> Any:
    """A value of YAML as JSON has it."""
    if item.is_mapping:
        found = {name: _value(child) for name, child in item.mapping().items()}
        return NOTED if NOTED in found.values() else found
    if item.is_list:
        values = [_value(child) for child in item.items()]
        return NOTED if any(each is NOTED for each in values) else values
    return _scalar(item)


def _scalar(item: Item) -> Any:
    if item.is_null:
        return None
    tag = item.node.tag.rpartition(":")[2]
    text = item.text()
    if text is None:
        return NOTED
    if tag == "bool":
        return item.boolean()
    if tag == "int" and _INTEGER.fullmatch(text):
        return int(text)
    if tag == "float":
        try:
            number = float(yaml.safe_load(text))
        except (TypeError, ValueError):
            number = float("nan")
        if number != number or number in (float("inf"), float("-inf")):
            item.problem(f"expected a number that JSON has, got {text[:40]!r}")
            return NOTED
        return number
    return text


MODEL_KEYS: dict[str, Reader] = {
    "id": _named(LONGEST_MODEL),
    "display_name": _named(LONGEST_MODEL),
    "details": json_object,
}


def _model(item: Item) -> Any:
    """Its name alone, or what there is to say in particular."""
    if not item.is_mapping:
        name = _named(LONGEST_MODEL)(item)
        return NOTED if name is NOTED else AgentModelConfig(name)
    found: AgentModelConfig = section(AgentModelConfig, MODEL_KEYS)(item)
    if "id" not in item.mapping():
        item.problem("id is missing: a model is {id: claude-opus-4-5, display_name: Opus}")
        return NOTED
    return found


MODELS_KEYS: dict[str, Reader] = {"groups": groups, "models": all_of(_model)}
SETTINGS_KEYS: dict[str, Reader] = {"groups": groups, "file": a_file, "settings": json_object}


def _settings(item: Item) -> Any:
    found: AgentSettingsConfig = section(AgentSettingsConfig, SETTINGS_KEYS)(item)
    said = item.mapping()
    if ("file" in said) == ("settings" in said):
        item.problem("expected either settings: {...} or file: the path of a JSON file")
        return NOTED
    if "settings" in said:
        return found
    if not found.file or item.document.is_pasted:
        return found
    item.document.files.add(found.file)
    try:
        return with_content(found)
    except ValueError as error:
        said["file"].problem(str(error))
    return NOTED


def with_content(settings: AgentSettingsConfig) -> AgentSettingsConfig:
    """
    The same, with what stands in its file, if it has one that was not read.

    @raise ValueError: it cannot be read, or is no JSON object.
    """
    if settings.content or not settings.file:
        return settings
    try:
        with open(settings.file, encoding="utf-8-sig") as file:
            return evolve(settings, content=checked(file.read(MAX_SETTINGS + 1)))
    except OSError as error:
        raise ValueError(f"the file {settings.file!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the file {settings.file!r} is not UTF-8") from None
    except ValueError as error:
        raise ValueError(f"the file {settings.file!r} {error}") from None


CLAUDE_KEYS: dict[str, Reader] = {
    "api": _named(64),
    "models": all_of(section(AgentModelsConfig, MODELS_KEYS)),
    "settings": all_of(_settings),
    "telemetry": by(one_of("off", "drop", "sinks")),
}
CODEX_KEYS: dict[str, Reader] = {
    "api": _named(64),
    "models": all_of(section(AgentModelsConfig, MODELS_KEYS)),
}
SIGN_IN_KEYS: dict[str, Reader] = {
    "token_lifetime": by(positive_duration),
    "sign_in_lifetime": by(positive_duration),
    "code_lifetime": by(positive_duration),
}


def _on_or(make: Any, keys: dict[str, Reader]) -> Reader:
    """C{on}, or what there is to say in particular."""

    def read(item: Item) -> Any:
        if item.is_mapping:
            return section(make, keys)(item)
        enabled = flag(item)
        return NOTED if enabled is NOTED or not enabled else make()

    return read


AGENTS_KEYS: dict[str, Reader] = {
    "claude": _on_or(ClaudeConfig, CLAUDE_KEYS),
    "codex": _on_or(CodexConfig, CODEX_KEYS),
    "sign_in": _on_or(SignInConfig, SIGN_IN_KEYS),
}


def read_agents(item: Item, apis: Any, default_api: str, has_people: bool) -> Any:
    """
    What is wrong is noted; so is what could not hold.

    @param apis: by their names.
    @param has_people: whether there is an identity provider.
    """
    found: AgentsConfig = section(AgentsConfig, AGENTS_KEYS)(item)
    said = item.mapping()
    if found.claude is not None and found.claude.telemetry == "sinks" and not item.document.is_pasted and _missing():
        said["claude"].problem(MISSING)
    if found.sign_in is not None:
        if not has_people:
            said["sign_in"].problem("people sign in at an identity provider: say which under identity")
        for name in RESERVED:
            if name in apis:
                said["sign_in"].problem(f"/{name} is where people sign in, so that no API can have this name")
    for name, part in (("claude", found.claude), ("codex", found.codex)):
        if part is None:
            continue
        api = part.api or default_api
        if part.api and part.api not in apis:
            said[name].problem(f"api: there is no API {part.api!r} here: {', '.join(apis)}")
        elif api in apis and isinstance(part, ClaudeConfig):
            endpoints = Endpoints.compile([each for each in apis[api].allowed_endpoints if each.startswith("/")])
            for key, path in (("models", "/v1/models"), ("telemetry", "/v1/metrics")):
                if getattr(part, key) not in ((), "off") and endpoints.names(path.encode()):
                    said[name].problem(
                        f"{key}: {path} belongs to the API {api!r}, as its allowed_endpoints say; take it out of them, "
                        f"or leave {key} out"
                    )
    return found


def _missing() -> bool:
    """Whether what reads protobuf is not installed; nothing of it is imported."""
    try:
        return find_spec("opentelemetry.proto") is None
    except ImportError:
        return True
