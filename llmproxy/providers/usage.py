"""
The usage of an answer, in words that mean the same for every provider, so that sums make sense.

What no answer says is C{None}, which is never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from ..core.models import named
from .chat import member

_MOST = 2**53 - 1
"""RFC 8259 section 6: integers up to here are the same to every reader."""


@frozen
class Usage:
    """
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


@frozen
class UsageShape:
    """
    The way in which answers of a vendor tell their usage.

    @ivar members: what holds it, from the top, with dots between.
    @ivar models: what names the model that answered, likewise.
    @ivar read: makes the usage of those that were found, by their paths; C{None} if they are of another shape.
    """

    members: tuple[str, ...]
    models: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Usage | None]


def count(value: Any, name: str) -> int | None:
    """A member that counts something; C{None} where it does not."""
    found = member(value, name)
    return found if type(found) is int and 0 <= found <= _MOST else None


def total(*counts: int | None) -> int | None:
    """The sum of those that are known; C{None} where none is."""
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def remainder(whole: int | None, part: int | None) -> int | None:
    """What is left of C{whole}; C{None} where one is not known, or they contradict each other."""
    return None if whole is None or part is None or part > whole else whole - part


def model_among(found: Mapping[str, Any], paths: tuple[str, ...]) -> str:
    """The first of C{paths} that names a model; C{""} for none."""
    return next((name for name in (named(found.get(path)) for path in paths) if name), "")
