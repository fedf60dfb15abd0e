"""
The usage of an answer, in words that mean the same for every provider, so that sums make sense.

What no answer says is C{None}, which is never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, fields


@define
class Usage:
    """
    One is never changed; that it could be makes it in a third of the time, and one is made for every answer.

    @ivar input_tokens: all that went in, what was read from a cache or written to it included.
    @ivar cached_input_tokens: the part of them that came from the provider's cache.
    @ivar cache_write_tokens: the part of them that was written to it.
    @ivar output_tokens: all that came out, reasoning included.
    @ivar reasoning_tokens: the part of them that was reasoning.
    @ivar audio_input_tokens: the part of C{input_tokens} that was audio.
    @ivar audio_output_tokens: the part of C{output_tokens} that was audio.
    @ivar images: pictures that were made.
    @ivar seconds: of audio that was heard.
    @ivar served_model: the model that answered, as the provider names it; C{""} where it does not.
    @ivar raw: the provider's own object; where it comes in parts, the members of all of them, the last of each name.
    """

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    images: int | None = None
    seconds: float | None = None
    served_model: str = ""
    raw: Mapping[str, Any] | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything was counted."""
        return (
            self.output_tokens is not None
            or self.input_tokens is not None
            or self.seconds is not None
            or self.images is not None
        )


UNKNOWN = Usage()


def added(one: Usage, other: Usage) -> Usage:
    """
    Of two answers together: what neither says stays unknown, the model is the one that is named last.
    """
    sums = {name: _sum(getattr(one, name), getattr(other, name)) for name in _COUNTS}
    raw = _raw_sum(one.raw, other.raw)
    return Usage(**sums, served_model=other.served_model or one.served_model, raw=raw)


_COUNTS = tuple(each.name for each in fields(Usage) if each.name not in ("served_model", "raw"))


def _sum(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return one if other is None else other
    return one + other


def _raw_sum(one: Any, other: Any) -> Any:
    """Objects member by member; numbers are added, of all else the last stays."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {name: _raw_sum(one.get(name), other.get(name)) for name in {**one, **other}}
    if _is_number(one) and _is_number(other):
        return one + other
    return one if other is None else other


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
