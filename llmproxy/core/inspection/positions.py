"""
Positions of parameters in the JSON of APIs: a whitelist names a parameter, an API may carry it deeper than at the top.

Read on 30 November 2026: OpenAI (Batch, Responses, Realtime, Evals, Graders), Anthropic (Message Batches), Gemini
(embeddings, Batch, Live, tuning), Mistral (Batch), OpenRouter (C{models}), Bedrock and ElevenLabs (C{model_id}).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from ..glob import any_of
from . import folding
from .whitelist import EACH, ParamRule, Path, Whitelist

MODEL = "model"

_TRANSCRIPTION = ("audio", "input", "transcription")

_OF_ANY: tuple[Path, ...] = (
    # Anthropic's and Mistral's batches
    ("requests", EACH, "params"),
    ("requests", EACH, "body"),
    # events of Realtime and of Responses over WebSocket
    ("session",),
    ("response",),
)
"""Where the parameters of a call stand that is part of another one."""

_OF_MODEL: tuple[Path, ...] = (
    # Azure's query of Realtime
    ("deployment",),
    ("models", EACH),
    ("model_id",),
    ("base_model",),
    ("tools", EACH, "model"),
    ("fallbacks", EACH, "model"),
    # Gemini
    ("requests", EACH, "model"),
    ("requests", EACH, "request", "model"),
    ("batch", "model"),
    ("batch", "input_config", "requests", "requests", EACH, "request", "model"),
    ("generate_content_request", "model"),
    ("setup", "model"),
    ("tuned_model_source", "base_model"),
    # Realtime
    ("session", "tools", EACH, "model"),
    ("session", *_TRANSCRIPTION, "model"),
    ("session", "input_audio_transcription", "model"),
    (*_TRANSCRIPTION, "model"),
    ("input_audio_transcription", "model"),
    ("response", "tools", EACH, "model"),
    # evaluations, and fine-tuning with a grader
    ("data_source", "model"),
    ("testing_criteria", EACH, "model"),
    ("grader", "model"),
    ("method", "reinforcement", "grader", "model"),
)

_OF_LINES: tuple[Path, ...] = (("body",), ("params",), ("request",))
"""Where the call stands in a line of a batch file: OpenAI and Mistral, Anthropic, Gemini."""

_ELSEWHERE = "input_blob"
"""What leads to a batch file that never passes here (Azure): under a rule of the model it must be absent."""

_PREFIXES = ("models/", "publishers/*/models/")
"""What Google writes before the name of a model."""


def is_model(name: str) -> bool:
    """Whether a parameter of this name is the model."""
    return folding.member(name) == MODEL


def rule_of(name: str, patterns: Sequence[str]) -> ParamRule:
    """The rule of a parameter; one of models allows their names as Google writes them, too."""
    rule = ParamRule.compile(name, patterns)
    if not is_model(name):
        return rule
    return evolve(rule, expression=any_of([*patterns, *(prefix + each for prefix in _PREFIXES for each in patterns)]))


def of_bodies(rules: Mapping[str, ParamRule]) -> Whitelist:
    """What is asked of a request body, a query, and a message of a WebSocket."""
    found: dict[str | Path, ParamRule] = {path: rule for name, rule in rules.items() for path in paths(name)}
    if any(is_model(name) and not rule.anything for name, rule in rules.items()):
        found.setdefault((_ELSEWHERE,), ParamRule.compile(_ELSEWHERE, ["null"]))
    return Whitelist.compile(found)


def of_lines(rules: Mapping[str, ParamRule]) -> Whitelist:
    """What is asked of a line of a batch file."""
    found = {path: rule for name, rule in rules.items() for path in paths(name)}
    below: dict[str | Path, ParamRule] = {(*at, *path): rule for at in _OF_LINES for path, rule in found.items()}
    top: dict[str | Path, ParamRule] = {(name,): rule for name, rule in rules.items()}
    return Whitelist.compile(top | below)


def paths(name: str) -> list[Path]:
    """Where the parameter C{name} may stand."""
    found: list[Path] = [(name,), *((*at, name) for at in _OF_ANY)]
    return [*found, *_OF_MODEL] if is_model(name) else found
