"""
The one grammar of values in text: durations (C{1h30m}, C{7d}, C{1mo}, C{30}), sizes (C{10MB}, C{1MiB}), yes and no.

The configuration file, the environment and the command line all read with it.
"""

from __future__ import annotations

import math
import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SECONDS |= {"d": 86_400.0, "mo": 30 * 86_400.0}
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PLAIN = re.compile(_NUMBER, re.ASCII)
_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|mo|s|m|h|d)", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)

_BYTES = {"": 1, "b": 1} | {
    name: size
    for power, letter in enumerate("kmgt", start=1)
    for name, size in ((letter, 1024**power), (f"{letter}b", 1000**power), (f"{letter}ib", 1024**power))
}
_FLAGS = dict.fromkeys(("true", "t", "1", "yes", "y", "on"), True) | dict.fromkeys(
    ("false", "f", "0", "no", "n", "off"), False
)
_SIZE = re.compile(rf"({_NUMBER})\s*([a-z]*)", re.ASCII | re.IGNORECASE)


def parse_duration(text: str) -> float:
    """
    Seconds, from what Go's C{time.ParseDuration} reads, C{d} for 24 hours and C{mo} for 30 days, or from a
    plain number of seconds. (Budgets have windows by the calendar, L{llmproxy.core.limits.windows}.)

    Without a sign: nothing here lasts less than no time.

    @raise ValueError: it is neither; the text says what was expected.
    """
    if _PLAIN.fullmatch(text):
        seconds = float(text)
    elif _DURATION.fullmatch(text):
        seconds = math.fsum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    else:
        raise ValueError(f"expected a duration such as 30s, got {text!r}")
    if not math.isfinite(seconds):
        raise ValueError(f"expected a duration such as 30s, got {text[:20]!r}...")
    return seconds


def parse_size(text: str) -> int:
    """
    Bytes; C{kB MB GB} are powers of 1000, C{KiB MiB GiB} and the bare letters of 1024.

    @raise ValueError: it is no size; the text says what was expected.
    """
    match = _SIZE.fullmatch(text)
    factor = _BYTES.get(match[2].lower()) if match else None
    if match is None or factor is None or len(match[1]) > 20:
        raise ValueError(f"expected a size such as 10MB or 1MiB, got {text[:40]!r}")
    return int(float(match[1]) * factor)


def parse_flag(text: str) -> bool:
    """
    Yes or no, in any case of letters: what Go's C{strconv.ParseBool} takes, and C{yes no on off y n}.

    @raise ValueError: it is neither; the text says what was expected.
    """
    value = _FLAGS.get(text.lower())
    if value is None:
        raise ValueError(f"expected true or false, got {text[:40]!r}")
    return value


def parse_count(text: str) -> int:
    """
    A whole number without a sign.

    @raise ValueError: it is none; the text says what was expected.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(f"expected a whole number, got {text[:40]!r}")
    return int(text)


def format_duration(seconds: float | None) -> str:
    """For tables: C{90s}, C{0.25s}, C{no limit}."""
    return "no limit" if seconds is None else f"{seconds:g}s"
