"""Problems of a configuration, gathered so that they can be reported at once."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ConfigError

SHOWN = 50
"""More problems than this are counted, not listed: a wrong file should not fill the terminal."""


class Problems:
    """
    Collects sentences.

    @ivar where: what stands before each of them, the name of a file for example.
    @ivar paths: the settings that something is wrong with.
    """

    def __init__(self, where: str = "") -> None:
        self.where = where
        self.found: list[tuple[tuple[int, int], str]] = []
        self.paths: set[str] = set()

    def add(self, path: str, text: str, position: tuple[int, int] | None = None) -> None:
        """
        @param path: the setting, C{apis.openai.base_url} for example, or C{""}.
        @param position: line and column, both from one.
        """
        parts = [f"{self.where}:{position[0]}:{position[1]}" if position else self.where, path, text]
        self.paths.add(path)
        self.found.append((position or (0, 0), ": ".join(part for part in parts if part)))

    def fail(self) -> None:
        """Raise a L{ConfigError} of everything in the order of the file, if there is anything."""
        if self.found:
            sentences = [sentence for _, sentence in sorted(self.found, key=lambda problem: problem[0])]
            more = len(sentences) - SHOWN
            raise ConfigError(*sentences[:SHOWN], *([f"... and {more} more problems"] if more > 0 else []))


def unknown(name: str, known: Iterable[str], what: str = "key") -> str:
    """The sentence for a name that nobody knows: what was meant perhaps, and all that is known."""
    # It takes memory for as long as the process lives, and is for those who stop here.
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    meant = f", did you mean {close[0]!r}?" if close else ""
    return f"unknown {what} {name[:80]!r}{meant} (known: {', '.join(names) or 'none'})"
