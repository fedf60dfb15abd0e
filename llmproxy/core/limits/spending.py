"""
Spending of a stream that runs: how many tokens it has had, estimated from the text in it, and how many an amount of
money is enough for.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from .pricing import at_most
from .reservation import BYTES_A_TOKEN, MOST_TOKENS, Estimate

if TYPE_CHECKING:
    from ..pricing.tariff import Tariff

LONGEST_LINE = 64 * 1024
"""Bytes that are held of a line that has not ended; of a longer one each byte counts as text."""

_TEXTS = re.compile(
    rb'"(?:content|text|delta|refusal|arguments|partial_json|thinking|reasoning|reasoning_content|response|output)"'
    rb'\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)'
)
"""What models write, by OpenAI's, Anthropic's, Gemini's, Ollama's and others' names for it."""

_OBJECT = re.compile(rb'"(?:args|input)"\s*:\s*\{\s*[^\s}]')
"""What is written as an object; then the whole line counts."""

_REPEATS = re.compile(rb'"type"\s*:\s*"response\.(?![a-z_.]*delta")')
"""An event of OpenAI's Responses that says again what others have said in parts."""


class WrittenText:
    """
    The text in a stream of events, or of documents of a line each, fed bytes that are cut anywhere.

    @ivar size: bytes of text in the lines that have ended.
    @param is_coded: what is in it cannot be seen; each byte counts.
    """

    __slots__ = ("_held", "_is_coded", "_rest", "size")

    def __init__(self, is_coded: bool = False) -> None:
        self.size = 0
        self._is_coded = is_coded
        self._rest: list[bytes] = []
        self._held = 0

    @property
    def tokens(self) -> int:
        """At most, as far as it can be seen: reasoning that is not shown is not in it."""
        return -(-self.size // BYTES_A_TOKEN)

    def feed(self, data: bytes) -> None:
        if self._is_coded:
            self.size += len(data)
            return
        end = data.rfind(b"\n") + 1
        if end:
            lines = b"".join((*self._rest, data[:end]))
            self._rest.clear()
            self._held = 0
            self.size += sum(map(_size, lines.split(b"\n")))
        if end < len(data):
            self._rest.append(data[end:])
            self._held += len(data) - end
            if self._held > LONGEST_LINE:
                self.size += self._held
                self._rest.clear()
                self._held = 0


def _size(line: bytes) -> int:
    if _REPEATS.search(line):
        return 0
    return len(line) if _OBJECT.search(line) else sum(map(len, _TEXTS.findall(line)))


def output_within(tariff: Tariff, input_tokens: int, amount: int, at: float) -> int:
    """
    How many tokens of output an amount is enough for beside the input; -1 if not for that.

    @param tariff: one of tokens, see L{at_most}.
    @param amount: in L{llmproxy.core.limits.values.PICO}.
    @param at: seconds since the epoch.
    """

    def cost(output_tokens: int) -> int:
        return at_most(tariff, Estimate(input_tokens, output_tokens), at) or 0

    return bisect_right(range(MOST_TOKENS), amount, key=cost) - 1
