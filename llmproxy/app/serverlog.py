"""The server log: what the process and Twisted have to say, from a level on, as text or JSON, masked."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import msgspec
from twisted.logger import ILogObserver, LogLevel, eventAsText
from zope.interface import implementer

from ..core.masking import Masking
from ..sinks.accesslog import LogFile

_ORDER = {LogLevel.debug: 0, LogLevel.info: 1, LogLevel.warn: 2, LogLevel.error: 3, LogLevel.critical: 3}
LEVELS = {"debug": 0, "info": 1, "warn": 2, "error": 3}
"""The names that C{LOG_LEVEL} has for them."""

_NOISE = frozenset(("Starting factory {factory!r}", "Stopping factory {factory!r}"))
_PORTS = re.compile(r"\S+(?: \(TLS\))? starting on \S+|\((?:TCP|TLS|UNIX)? ?Port .* Closed\)|reactor class: .*")
"""What Twisted says of each port, and of itself, where the lines at the start say it for people."""


@implementer(ILogObserver)
class ServerLog:
    """
    An observer of C{twisted.logger}.

    @param write: appends a text that ends with a line feed.
    @param form: C{"text"} or C{"json"}, an object a line.
    @param level: the least of L{LEVELS} that is written.
    @param masking: knows the secrets of this process.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        form: str = "text",
        level: str = "info",
        masking: Masking | None = None,
    ) -> None:
        self._write = write
        self.configure(form, level, masking)

    def configure(self, form: str, level: str, masking: Masking | None = None) -> None:
        """What holds from now on: a process hears of its options after it has begun to log."""
        self._line = _json_line if form == "json" else _text_line
        self._least = LEVELS[level]
        self._mask = (Masking() if masking is None else masking).text

    def __call__(self, event: dict[str, Any]) -> None:
        if _ORDER.get(event.get("log_level", LogLevel.info), 1) < self._least or is_noise(event):
            return
        line = self._line(event, self._mask)
        if line:
            self._write(line + "\n")


def twistd_write(twistd: Mapping[str, Any]) -> Callable[[str], object] | None:
    """
    What appends to the log that twistd's options describe; C{None} where it is for twistd to say something.

    A file is found again after somebody renamed it, and is its owner's alone. twistd's own would begin another one at
    each megabyte.
    """
    path, foreground = twistd.get("logfile"), bool(twistd.get("nodaemon"))
    if twistd.get("logger") or twistd.get("syslog") or (path == "-" and not foreground):
        return None
    if path == "-" or (foreground and not path):
        return _to_stdout
    # The directory is another one once it runs in the background.
    file = LogFile(os.path.abspath(path or "twistd.log"))
    return lambda text: file.write(text.encode("utf-8", "backslashreplace"))


def _to_stdout(text: str) -> None:
    sys.__stdout__.write(text)  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def warning_line(text: str, now: float) -> str:
    """A line of JSON for what is said before there is a log."""
    event = {"log_time": now, "log_level": LogLevel.warn, "log_namespace": "llmproxy", "log_format": "{text}"}
    return _json_line({**event, "text": text}, Masking().text) + "\n"


def is_noise(event: dict[str, Any]) -> bool:
    """Whether it says of an object of Twisted's what nobody can use."""
    form = event.get("log_format")
    if form in _NOISE:
        return True
    text = event.get("log_text") if form == "{log_text}" else None
    return text is not None and _PORTS.fullmatch(text) is not None


def _text_line(event: dict[str, Any], mask: Callable[[str], str]) -> str:
    """As C{twistd} writes it: time, where it comes from, level; further lines, of a traceback say, are indented."""
    return mask(eventAsText(event)).rstrip("\n").replace("\n", "\n\t")


def _json_line(event: dict[str, Any], mask: Callable[[str], str]) -> str:
    message = mask(eventAsText(event, includeTraceback=False, includeTimestamp=False, includeSystem=False))
    failure, level = event.get("log_failure"), event.get("log_level", LogLevel.info)
    if not message and failure is None:
        return ""
    line = {
        "time": datetime.fromtimestamp(event.get("log_time", 0.0), timezone.utc).isoformat(timespec="milliseconds"),
        "level": level.name,
        "logger": event.get("log_namespace", ""),
        "pid": os.getpid(),
        "message": message,
    }
    if failure is not None:
        line["traceback"] = mask(failure.getTraceback())
    return msgspec.json.encode(line).decode()
