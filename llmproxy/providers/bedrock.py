"""Amazon Bedrock (docs.aws.amazon.com/bedrock, read on 30 November 2026): Converse, and InvokeModel of some models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.places import Places
from ..usage import Usage
from .provider import Provider, starting
from .usage import UsageShape, count, total

EVENT_STREAM = b"application/vnd.amazon.eventstream"

METRICS = "amazon-bedrock-invocationMetrics"
"""Stands in the last event of every stream of InvokeModel, whatever the model."""

_SIGNS = frozenset({"inputTokens", "outputTokens"})

_TOP = ("prompt_token_count", "generation_token_count", "inputTextTokenCount")
"""Of Llama and of Titan."""


def usage_of(found: Mapping[str, Any]) -> Usage | None:
    """
    Converse, and the models of Amazon's own: C{inputTokens}, with what was read from the cache and written to it beside
    them. Of others the metrics, where the model's own answer says nothing.
    """
    for raw, end in ((found.get("usage"), "Tokens"), (found.get(METRICS), "TokenCount")):
        put_in, out = count(raw, f"input{end}"), count(raw, f"output{end}")
        if put_in is None and out is None:
            continue
        cached, written = (_either(raw, f"cache{what}InputToken") for what in ("Read", "Write"))
        return Usage(
            input_tokens=None if put_in is None else total(put_in, cached, written),
            cached_input_tokens=cached,
            cache_write_tokens=written,
            output_tokens=out,
            raw=raw,
        )
    return _at_the_top(found)


def _either(raw: Any, name: str) -> int | None:
    """Nova's names end otherwise than those of Converse."""
    found = count(raw, f"{name}s")
    return count(raw, f"{name}Count") if found is None else found


def _at_the_top(found: Mapping[str, Any]) -> Usage | None:
    raw = {name: found[name] for name in _TOP if name in found}
    put_in, out, titan = (count(raw, name) for name in _TOP)
    put_in = titan if put_in is None else put_in
    return None if put_in is None and out is None else Usage(input_tokens=put_in, output_tokens=out, raw=raw)


PROVIDERS = (
    Provider(
        "bedrock",
        book="aws",
        names=("bedrock",),
        hosts=("amazonaws.com",),
        keys=starting("ABSK|AKIA"),
        request_ids=(b"x-amzn-requestid",),
        stream_types=(EVENT_STREAM,),
        # /model/X/invoke, where X can be an ARN; /endpoints/X/invocations (SageMaker)
        places=Places(
            one=frozenset({"endpoints"}), several=frozenset({"model"}), naming=("model",), models=(("model_id",),)
        ),
        usages=(UsageShape(("usage", METRICS, *_TOP), (), usage_of, signs=_SIGNS),),
    ),
)
