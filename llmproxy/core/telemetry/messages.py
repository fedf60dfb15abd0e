"""
Messages to a model and from it, in the terms of the semantic conventions: of parts, whichever API it was.

By C{docs/gen-ai/non-normative/models.py} of open-telemetry/semantic-conventions-genai, read on 30 November 2026. What
has no part of its own there is kept with its own type, which the conventions allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from ..events.event import Content

Part = dict[str, Any]
Message = dict[str, Any]

_REASONS: Mapping[str, str] = {
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "tool_use": "tool_call",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "safety": "content_filter",
    "refusal": "content_filter",
}
"""Why an answer ended, by the words of vendors in lower case; other words stay."""

_NUMBERS: tuple[tuple[str, tuple[str, ...], type], ...] = (
    ("gen_ai.request.temperature", ("temperature",), float),
    ("gen_ai.request.top_p", ("top_p", "topP"), float),
    ("gen_ai.request.top_k", ("top_k", "topK"), int),
    (
        "gen_ai.request.max_tokens",
        ("max_completion_tokens", "max_output_tokens", "max_tokens", "maxOutputTokens", "max_tokens_to_sample"),
        int,
    ),
    ("gen_ai.request.seed", ("seed",), int),
    ("gen_ai.request.frequency_penalty", ("frequency_penalty", "frequencyPenalty"), float),
    ("gen_ai.request.presence_penalty", ("presence_penalty", "presencePenalty"), float),
)

_LONGEST_WORD = 256
"""Characters of what is an attribute of its own: an id, a level, a sequence."""


def spoken(content: Content) -> dict[str, Any]:
    """
    The attributes of a captured exchange; messages are JSON texts, since attributes of spans hold no objects. What is
    nested too deep for that is left out.
    """
    try:
        return _spoken(content)
    except RecursionError:
        return {}


def _spoken(content: Content) -> dict[str, Any]:
    asked, answered = content.request_body, content.response_body
    found: dict[str, Any] = {}
    if isinstance(asked, Mapping):
        found.update(parameters(asked))
        system = _parts(_first(asked, "system", "systemInstruction", "system_instruction", "instructions"))
        if system:
            found["gen_ai.system_instructions"] = written(system)
        tools = list(_tools(asked.get("tools")))
        if tools:
            found["gen_ai.tool.definitions"] = written(tools)
    put_in = input_messages(asked)
    if put_in:
        found["gen_ai.input.messages"] = written(put_in)
    out = output_messages(answered)
    if out:
        found["gen_ai.output.messages"] = written(out)
        reasons = [str(each["finish_reason"]) for each in out if each.get("finish_reason")]
        if reasons:
            found["gen_ai.response.finish_reasons"] = reasons
    return found


def written(value: object) -> str:
    """JSON."""
    return msgspec.json.encode(value).decode()


# -- what was asked


def input_messages(body: Any) -> list[Message]:
    """The messages of a request, in their order; a prompt that is a text is one of the user's."""
    if isinstance(body, str):
        return [_message("user", _parts(body))] if body else []
    if not isinstance(body, Mapping):
        return []
    said = _first(body, "messages", "input", "contents", "prompt", "message")
    if isinstance(said, str):
        return [_message("user", _parts(said))]
    if isinstance(said, Sequence):
        return [found for each in said if (found := _said(each)) is not None]
    return [] if said is None else [_message("user", [_other(said)])]


def _said(each: Any) -> Message | None:
    if isinstance(each, str):
        return _message("user", _parts(each))
    if not isinstance(each, Mapping):
        return None
    parts = _parts_of(each)
    if "role" not in each:
        # Items of OpenAI's responses: what a tool was asked, or has answered.
        return _message("tool" if any(_is_response(part) for part in parts) else "assistant", parts)
    role = str(each["role"])
    name = each.get("name")
    found = _message({"model": "assistant", "function": "tool"}.get(role, role), parts)
    return {**found, "name": name} if isinstance(name, str) else found


def _parts_of(each: Mapping[str, Any]) -> list[Part]:
    """The parts of a message, whose content may stand in several of its members."""
    if "content" not in each and "parts" not in each and "tool_calls" not in each:
        return [_part(each)]
    if each.get("role") in ("tool", "function"):
        answer = {"type": "tool_call_response", "response": each.get("content")}
        return [{**answer, "id": each["tool_call_id"]} if each.get("tool_call_id") else answer]
    reasoning = _first(each, "reasoning_content", "reasoning")
    parts: list[Part] = [{"type": "reasoning", "content": reasoning}] if isinstance(reasoning, str) else []
    parts += _parts(_first(each, "content", "parts"))
    if isinstance(each.get("refusal"), str):
        parts.append({"type": "refusal", "content": each["refusal"]})
    calls = each.get("tool_calls")
    parts += [_part(call) for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    return parts


def _parts(content: Any) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    if isinstance(content, Mapping):
        inner = content.get("parts")
        return _parts(inner) if isinstance(inner, list) else [_part(content)]
    if isinstance(content, Sequence):
        return [part for each in content for part in (_parts(each) if not isinstance(each, Mapping) else [_part(each)])]
    return [_other(content)]


def _part(each: Mapping[str, Any]) -> Part:
    kind = each.get("type")
    if isinstance(kind, str) and kind in _BY_TYPE:
        return _BY_TYPE[kind](each)
    if isinstance(each.get("text"), str):
        # Gemini's parts have no type.
        return {"type": "reasoning" if each.get("thought") is True else "text", "content": each["text"]}
    for member, make in _BY_MEMBER.items():
        if isinstance(each.get(member), Mapping):
            return make(each[member])
    return _other(each)


def _text(each: Mapping[str, Any]) -> Part:
    return {"type": "text", "content": str(_first(each, "text", "content") or "")}


def _reasoning(each: Mapping[str, Any]) -> Part:
    said = _first(each, "thinking", "text", "content")
    if not isinstance(said, str):
        said = "\n".join(str(part.get("text", "")) for part in each.get("summary") or () if isinstance(part, Mapping))
    return {"type": "reasoning", "content": said}


def _call(each: Mapping[str, Any]) -> Part:
    function = each.get("function")
    source = function if isinstance(function, Mapping) else each
    identity = _first(each, "call_id", "id")
    arguments = _first(source, "arguments", "input", "args")
    part: Part = {"type": "tool_call", "name": str(source.get("name") or ""), "arguments": _parsed(arguments)}
    return {**part, "id": identity} if isinstance(identity, str) else part


def _response(each: Mapping[str, Any]) -> Part:
    identity = _first(each, "tool_use_id", "call_id", "tool_call_id", "id")
    part: Part = {"type": "tool_call_response", "response": _first(each, "output", "content", "response")}
    return {**part, "id": identity} if isinstance(identity, str) else part


def _other(each: Any) -> Part:
    """What the conventions have no part for, as it is."""
    if isinstance(each, Mapping):
        return {"type": "other", **{str(name): value for name, value in each.items()}}
    return {"type": "other", "content": each}


_BY_TYPE: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "thinking": _reasoning,
    "reasoning": _reasoning,
    "function": _call,
    "function_call": _call,
    "tool_use": _call,
    "custom_tool_call": _call,
    "tool_result": _response,
    "function_call_output": _response,
    "custom_tool_call_output": _response,
}

_BY_MEMBER: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
    "functionCall": _call,
    "functionResponse": _response,
    "toolUse": _call,
    "toolResult": _response,
}


def _is_response(part: Part) -> bool:
    return part.get("type") == "tool_call_response"


# -- what was answered


def output_messages(body: Any) -> list[Message]:
    """A message for each choice of an answer."""
    if isinstance(body, str):
        return [_message("assistant", _parts(body))] if body else []
    if not isinstance(body, Mapping):
        return []
    for member, make in (("choices", _choice), ("candidates", _candidate)):
        found = body.get(member)
        if isinstance(found, list):
            return [make(each) for each in found if isinstance(each, Mapping)]
    if isinstance(body.get("output"), list):
        return _of_items(body)
    if isinstance(body.get("content"), list | str):
        return [
            _ended(_message(str(body.get("role") or "assistant"), _parts(body["content"])), body.get("stop_reason"))
        ]
    message = body.get("message")
    if isinstance(message, Mapping):
        return [_ended(_message("assistant", _parts_of(message)), _first(body, "done_reason", "finish_reason"))]
    output = body.get("output")
    if isinstance(output, Mapping) and isinstance(output.get("message"), Mapping):
        return [_ended(_message("assistant", _parts_of(output["message"])), body.get("stopReason"))]
    return []


def _choice(each: Mapping[str, Any]) -> Message:
    said = each.get("message")
    parts = _parts_of(said) if isinstance(said, Mapping) else _parts(each.get("text"))
    return _ended(_message("assistant", parts), each.get("finish_reason"))


def _candidate(each: Mapping[str, Any]) -> Message:
    return _ended(_message("assistant", _parts(each.get("content"))), each.get("finishReason"))


def _of_items(body: Mapping[str, Any]) -> list[Message]:
    """OpenAI's responses: one generation, of items."""
    parts: list[Part] = []
    for each in body["output"]:
        if isinstance(each, Mapping):
            parts += _parts_of(each)
    details = body.get("incomplete_details")
    why = details.get("reason") if isinstance(details, Mapping) else body.get("status")
    return [_ended(_message("assistant", parts), why)] if parts else []


def _ended(message: Message, reason: Any) -> Message:
    if not isinstance(reason, str) or not reason:
        return message
    word = reason.lower()
    return {**message, "finish_reason": _REASONS.get(word, word)[:_LONGEST_WORD]}


def _message(role: str, parts: list[Part]) -> Message:
    return {"role": role, "parts": parts}


# -- with what it was asked


def parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a model was asked with: C{temperature}, C{max_tokens} and the like."""
    inner = body.get("generationConfig")
    source = {**body, **inner} if isinstance(inner, Mapping) else body
    found: dict[str, Any] = {}
    for name, members, kind in _NUMBERS:
        value = _first(source, *members)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = kind(value)
    choices = _first(source, "n", "candidateCount")
    if isinstance(choices, int) and choices > 1:
        found["gen_ai.request.choice.count"] = int(choices)
    stops = _first(source, "stop", "stop_sequences", "stopSequences")
    stops = [stops] if isinstance(stops, str) else stops
    if isinstance(stops, list) and stops:
        found["gen_ai.request.stop_sequences"] = [str(each)[:_LONGEST_WORD] for each in stops[:16]]
    reasoning = source.get("reasoning")
    level = reasoning.get("effort") if isinstance(reasoning, Mapping) else source.get("reasoning_effort")
    for name, value in (
        ("gen_ai.request.reasoning.level", level),
        ("gen_ai.request.previous_response.id", source.get("previous_response_id")),
        ("gen_ai.output.type", _output_type(source)),
    ):
        if isinstance(value, str) and value:
            found[name] = value[:_LONGEST_WORD]
    return found


def _output_type(source: Mapping[str, Any]) -> str:
    form = source.get("response_format")
    text = source.get("text")
    if not isinstance(form, Mapping) and isinstance(text, Mapping):
        form = text.get("format")
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind in ("json_object", "json_schema") or source.get("responseMimeType") == "application/json":
        return "json"
    return "text" if kind == "text" else ""


def _tools(tools: Any) -> Iterable[dict[str, Any]]:
    """What tools there were: their types and names alone, since the rest is long and seldom of interest."""
    for each in tools if isinstance(tools, list) else ():
        if not isinstance(each, Mapping):
            continue
        declared = each.get("functionDeclarations")
        for one in declared if isinstance(declared, list) else (each,):
            function = one.get("function") if isinstance(one, Mapping) else None
            source = function if isinstance(function, Mapping) else one
            name = source.get("name") if isinstance(source, Mapping) else None
            kind = str(each.get("type") or "function")
            yield {"type": kind, "name": str(name or kind)}


def _first(source: Mapping[str, Any], *members: str) -> Any:
    return next((source[member] for member in members if source.get(member) is not None), None)


def _parsed(arguments: Any) -> Any:
    """Arguments of a tool as the object that their text writes down, where it does."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return arguments
