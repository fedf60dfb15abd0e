"""A count of the brackets in a piece of JSON, many at once: where a value cannot end, it is passed over in blocks."""

from __future__ import annotations

_BLOCK = 1024

_ROUNDS = 8
"""How deep brackets that belong together are found within a block; deeper ones count as if some did not."""

_BRACKETS = b"{}[]"
_ROUND = bytes.maketrans(_BRACKETS, b"()()")
_OTHERS = bytes(each for each in range(256) if each not in _BRACKETS)


def passed_over(data: bytes, at: int, depth: int, block_size: int = _BLOCK) -> tuple[int, int, bool]:
    """
    Pass over what cannot contain the end of a value.

    @param at: where to begin, not in a text.
    @param depth: how many brackets are open there, at least one.
    @param block_size: bytes that are passed over at once, or not.
    @return: where it stopped, how many are open there, and whether that is in a text: at the latest at the end of
        C{data}, and not behind the end of the value.
    """
    size = len(data)
    while at < size:
        block = data[at : at + block_size]
        plain = block.replace(b"\\\\", b"  ").replace(b'\\"', b"  ") if b"\\" in block else block
        pieces = plain.split(b'"')
        closing, opening = _unmatched(b"".join(pieces[::2]).translate(_ROUND, _OTHERS))
        if closing >= depth:
            break
        depth += opening - closing
        at += len(block)
        if len(pieces) % 2 == 0:
            # What is escaped by the last byte comes with the next one.
            return at - plain.endswith(b"\\"), depth, True
    return at, depth, False


def _unmatched(brackets: bytes) -> tuple[int, int]:
    """How many close what was open before, at most, and how many then stay open."""
    for _ in range(_ROUNDS):
        fewer = brackets.replace(b"()", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    closing = brackets.count(b")")
    return closing, len(brackets) - closing
