"""
The usage of an answer, in words that mean the same for every provider, so that sums make sense.

What no answer says is C{None}, which is never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define


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
        return any(each is not None for each in (self.input_tokens, self.output_tokens, self.seconds, self.images))


UNKNOWN = Usage()
