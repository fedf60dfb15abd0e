"""Settings of the audit log, and the variables that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

DEFAULT_FILE = "./data/audit.log"
MAX_FILE = 100 * 1000 * 1000
KEEP_FILES = 10
LEAST_ROWS = 1000
"""What the log has to say of itself finds room in a tenth of it."""

POLICIES = ("always", "interval", "never")
NOWHERE = ("none", "off")

STDOUT = "-"
"""In place of a path: standard output."""


@frozen
class AuditOptions:
    """
    @ivar file: C{None} for no file, L{STDOUT} for standard output.
    @ivar create_directory: whether the file's directory is made.
    @ivar in_database: whether records go to the database too.
    @ivar max_bytes: a file that would be longer is sealed, and continued in another.
    @ivar keep: sealed files that are kept.
    @ivar sync: when the disk is made to keep what was written: C{always} before a record counts as written, C{interval}
        within a second, C{never} when the operating system likes to.
    @ivar keep_rows: rows that stay in the database; C{None} for all.
    @ivar is_default: nobody has said that there is to be a file: where none can be made, the log goes without it.
    """

    file: str | None = DEFAULT_FILE
    create_directory: bool = True
    in_database: bool = True
    max_bytes: int = MAX_FILE
    keep: int = KEEP_FILES
    sync: str = "interval"
    keep_rows: int | None = None
    is_default: bool = False


def read_audit_environment(
    env: Mapping[str, str], size: Callable[[str], int], flag: Callable[[str], bool]
) -> tuple[AuditOptions | None, list[tuple[str, str]]]:
    """
    What the environment says, C{None} for no audit log at all, and what is wrong with it: names and sentences.

    @param size: reads C{100MB}; raises C{ValueError}.
    @param flag: reads C{true} and C{no}; raises C{ValueError}.
    """
    problems: list[tuple[str, str]] = []

    def checked(name: str, default: Any, rule: Callable[[str], Any]) -> Any:
        text = env.get(name, "").strip()
        try:
            return rule(text) if text else default
        except ValueError as error:
            problems.append((name, str(error)))
            return default

    options = AuditOptions(
        file=checked("AUDIT_LOG_FILE", DEFAULT_FILE, lambda text: None if text in NOWHERE else text),
        create_directory=checked("AUDIT_CREATE_DIR", True, flag),
        in_database=checked("AUDIT_STORE_IN_DB", True, flag),
        max_bytes=checked("AUDIT_MAX_FILE_SIZE", MAX_FILE, lambda text: _large_enough(size(text))),
        keep=checked("AUDIT_KEEP_FILES", KEEP_FILES, _count),
        keep_rows=checked("AUDIT_KEEP_ROWS", None, _rows),
        sync=checked("AUDIT_FSYNC", "interval", _policy),
        is_default=not env.get("AUDIT_LOG_FILE", "").strip(),
    )
    enabled = checked("AUDIT_ENABLED", True, flag) and (options.file is not None or options.in_database)
    return options if enabled else None, problems


def _policy(text: str) -> str:
    if text not in POLICIES:
        raise ValueError(f"expected one of {', '.join(POLICIES)}, got {text[:40]!r}")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 10_000):
        raise ValueError(f"expected a number from 1 to 10000, got {text[:40]!r}")
    return int(text)


def _rows(text: str) -> int | None:
    if text == "0":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) >= LEAST_ROWS):
        raise ValueError(f"expected a number of rows, {LEAST_ROWS} at least, or 0 for all, got {text[:40]!r}")
    return int(text)


def _large_enough(size: int) -> int:
    if size < 64 * 1024:
        raise ValueError("expected 64KiB at least")
    return size
