"""The strength of a secret that somebody chose: how many guesses find it, at most."""

from __future__ import annotations

import re
from math import log2

ENOUGH_BITS = 64.0
"""Below this a secret can be found by somebody who has time and many machines."""

SHORTEST = 16
"""Characters; a shorter one is warned of whatever it is made of, since nobody knows what it was made from."""

_WORDS = re.compile(
    r"admin|change|default|demo|dev|example|llm|local|management|manage|master|metrics|my|pass|password|please"
    r"|prod|proxy|root|secret|super|test|token|this|me|key",
    re.IGNORECASE,
)
"""Words that stand in tokens which nobody drew at random; each counts as one character."""

_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_CLASSES = ((re.compile(r"[a-z]"), 26), (re.compile(r"[A-Z]"), 26), (re.compile(r"[0-9]"), 10))
_OTHERS = 33
"""Printable characters of ASCII that are neither letters nor digits."""


def bits_at_most(secret: str) -> float:
    """
    A bound on the bits of entropy, for somebody who knows how the secret was put together.

    Characters that repeat what stands before them, count on from it (C{abc}, C{321}), or are part of a word that
    such secrets are often made of, add nothing.
    """
    # Words may stand across the places where it begins anew: they are looked for in what is repeated.
    rest = _unrepeated(_WORDS.sub("a", _unrepeated(secret)))
    count = sum(not _follows(rest, at) for at in range(len(rest)))
    return count * log2(_alphabet(secret)) if secret else 0.0


def weakness(name: str, secret: str) -> str:
    """A sentence that says how weak a secret is, without any of it; C{""} if it is strong enough."""
    bits = bits_at_most(secret)
    if bits >= ENOUGH_BITS and len(secret) >= SHORTEST:
        return ""
    guesses = f"{2**bits:,.0f}" if bits < 30 else f"10^{int(bits * log2(2) / log2(10))}"
    return (
        f"{name} is weak: {len(secret)} characters, it can be guessed in about {guesses} attempts; "
        "make one with: openssl rand -hex 32"
    )


def _alphabet(secret: str) -> int:
    if _HEX.fullmatch(secret) and len(secret) >= SHORTEST:
        return 16
    size = sum(size for pattern, size in _CLASSES if pattern.search(secret))
    plain = re.fullmatch(r"[A-Za-z0-9]*", secret) is not None
    return max(2, size if plain else size + _OTHERS)


def _unrepeated(text: str) -> str:
    """The part that a text is a repetition of, the last time perhaps not to its end; it is none itself."""
    for size in range(1, len(text) // 2 + 1):
        if (text[:size] * (len(text) // size + 1))[: len(text)] == text:
            return _unrepeated(text[:size])
    return text


def _follows(text: str, at: int) -> bool:
    """Whether a character goes on where the two before it were going: the same again, up or down by one."""
    if at < 2:
        return False
    step = ord(text[at]) - ord(text[at - 1])
    return step in (-1, 0, 1) and step == ord(text[at - 1]) - ord(text[at - 2])
