"""Words for sizes, spans of time and modes of files, as people read them."""

from __future__ import annotations

_SIZES = ("bytes", "KiB", "MiB", "GiB", "TiB")
_SPANS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))

READ_BY_OTHERS = 0o044
WRITTEN_BY_OTHERS = 0o022


def size_words(size: float) -> str:
    """C{1.5 GiB}."""
    at = 0
    while abs(size) >= 1024 and at < len(_SIZES) - 1:
        size /= 1024
        at += 1
    return f"{size:.0f} {_SIZES[at]}" if at == 0 or size >= 100 else f"{size:.1f} {_SIZES[at]}"


def span_words(seconds: float) -> str:
    """C{3 d}, C{1.5 h}, C{250 ms}: one unit."""
    for length, word in _SPANS:
        if abs(seconds) >= length:
            return f"{seconds / length:.3g} {word}"
    return f"{seconds:.3g} s" if abs(seconds) >= 1 else f"{seconds * 1000:.3g} ms"


def mode_words(mode: int) -> str:
    """C{0644}."""
    return f"0{mode & 0o7777:03o}"
