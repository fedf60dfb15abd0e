"""
Rows of the Go original (llm-proxy) as values of ours, or why a row cannot be one.

Rows come as its three databases have them, of each of its schemas: moments as text, numbers or L{datetime}; booleans as
numbers; tokens hashed or in clear, without an id in the first ones; keys as C{openai_api_key} once. Every value has
to pass the rules of the management API; what it would refuse is refused here, in its words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

from ..core.audit.record import OUTCOMES, AuditRecord, audit_record, printable
from ..core.masking import Masking
from ..core.tokens import hint, is_well_formed, token_hash
from ..errors import ProxyError
from ..message import Project, Token
from .checks import MAX_API_KEY, MAX_REQUESTS, check_api_key, check_expiry, check_max_requests, check_name

Row = Mapping[str, Any]

HASHED_HINT = "sk-" + "*" * 22
"""What lists show of a token whose secret nobody knows here."""

IDS = UUID("5c1f0a5e-6d0f-4b1e-9d2b-0c6f3a7b9e14")
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:@+-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[\x21-\x7e]+")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?"
    r" ?(Z|UTC|[+-]\d\d:?\d\d)?(?: [A-Z]{1,5}| [+-]\d\d(?:\d\d)?)?(?: m=[+-][\d.]+)?",
    re.ASCII,
)
"""As Go writes a moment: for its drivers, and as C{time.Time} is printed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECONDS_FROM = 10**11
_FLAGS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}
_MOST_NOTES = 16
_MOST_DEPTH = 32
_AUDIT_OWN = "audit."
_AUDIT_LOOKS = frozenset({"audit.list", "audit.show"})
_AUDIT_COLUMNS = (
    "project_id",
    "request_id",
    "correlation_id",
    "client_ip",
    "method",
    "path",
    "user_agent",
    "reason",
    "token_id",
)


class GoForm:
    """Rows of the Go original as values."""

    def project(self, row: Row, opened: Callable[[str], str]) -> tuple[Project, str]:
        return project_of(row, opened)

    def token(self, row: Row, now: float) -> Token:
        return token_of(row, now)

    def remarks(self, row: Row, made: Project | Token) -> Iterator[str]:
        if isinstance(made, Token) and made.metadata is None and has_metadata(row):
            yield UNKEPT

    def is_same(self, created_at: float, project: Project) -> bool:
        return same_moment(created_at, project.created_at)


UNKEPT = "its metadata cannot be kept here: at most 16 short texts"


class Unfit(Exception):
    """A row that cannot be a row of ours; the text says why, with nothing secret in it."""


def project_of(row: Row, opened: Callable[[str], str]) -> tuple[Project, str]:
    """
    A project without keys, and its upstream key in clear, C{""} if it has none.

    @param opened: makes of a key as it is stored the key itself; raises L{Unfit}.
    @raise Unfit: it cannot be one.
    """
    project_id, name = id_in(row), text_in(row, "name")
    ruled("name", check_name, name)
    key = opened(text_in(row, "api_key" if "api_key" in row else "openai_api_key"))
    if key:
        ruled("api_key", check_api_key, key)
        if len(key) > MAX_API_KEY or _KEY.fullmatch(key) is None:
            raise Unfit(f"api_key: expected visible ASCII, at most {MAX_API_KEY} characters")
    created_at = _needed(row, "created_at")
    is_active = _flag(row, "is_active")
    project = Project(
        project_id,
        name,
        is_active=is_active,
        deactivated_at=None if is_active else moment_in(row, "deactivated_at"),
        created_at=created_at,
        updated_at=moment_in(row, "updated_at") or created_at,
    )
    return project, key


def token_of(row: Row, now: float) -> Token:
    """
    @param now: seconds since the epoch.
    @raise Unfit: it cannot be one.
    """
    digest, shown = secret_of(text_in(row, "token"))
    token_id = id_of(digest) if row.get("id") in (None, "") else id_in(row)
    expires_at, max_requests = moment_in(row, "expires_at"), _count(row, "max_requests", least=-MAX_REQUESTS)
    if expires_at is not None and expires_at > now:
        ruled("expires_at", lambda at: check_expiry(at, now), expires_at)
    ruled("max_requests", check_max_requests, max_requests)
    is_active = _flag(row, "is_active")
    return Token(
        token_id,
        digest,
        shown,
        text_in(row, "project_id"),
        expires_at,
        is_active=is_active,
        deactivated_at=None if is_active else moment_in(row, "deactivated_at"),
        request_count=_count(row, "request_count") or 0,
        max_requests=max_requests or None,
        created_at=_needed(row, "created_at"),
        last_used_at=moment_in(row, "last_used_at"),
        cache_hit_count=_count(row, "cache_hit_count") or 0,
        metadata=notes_of(row.get("metadata")),
    )


def has_metadata(row: Row) -> bool:
    """Whether a token has notes; if L{token_of} has none then, they cannot be kept here."""
    return str(row.get("metadata") or "").strip() not in ("", "{}", "null")


def id_of(digest: str) -> str:
    """The id of a token that had none: always the same for one secret."""
    return str(uuid5(IDS, digest))


def audit_record_of(row: Row, masking: Masking) -> AuditRecord:
    """
    With its id and its time. C{imported} among its details tells it from what this proxy has noted itself.

    @raise Unfit: it cannot be one, or pretends to be what the log says of itself.
    """
    record_id, action, outcome = id_in(row), text_in(row, "action"), text_in(row, "outcome")
    if outcome not in OUTCOMES:
        raise Unfit(f"outcome: expected one of {', '.join(OUTCOMES)}")
    if not action:
        raise Unfit("action: is empty")
    if action.startswith(_AUDIT_OWN) and action not in _AUDIT_LOOKS:
        raise Unfit("action: is one that the audit log keeps for what it says of itself")
    given = {name: text_in(row, name) for name in _AUDIT_COLUMNS if row.get(name) not in (None, "")}
    details = {**_details(row.get("metadata")), **given, "imported": True}
    at = _needed(row, "timestamp")
    return audit_record(record_id, at, action, text_in(row, "actor"), outcome, details, masking)


def same_moment(one: float, other: float) -> bool:
    """Whether two times are the same, to the microsecond that databases keep."""
    return round(one * 1_000_000) == round(other * 1_000_000)


def name_of(row: Row, number: int) -> str:
    """What messages call a row: by its id, or by its number."""
    return printable(str(row.get("id") or ""))[:64] or f"row {number}"


def id_in(row: Row) -> str:
    found = text_in(row, "id")
    if _ID.fullmatch(found) is None:
        raise Unfit("id: expected letters, digits and . _ : @ + -, at most 64")
    return found


def secret_of(stored: str) -> tuple[str, str]:
    if _HASH.fullmatch(stored):
        return stored, HASHED_HINT
    if not is_well_formed(stored.encode("utf-8", "replace")):
        raise Unfit("token: expected its SHA-256, or sk- and 22 characters of base64url")
    return token_hash(stored.encode()), hint(stored)


def text_in(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str):
        raise Unfit(f"{name}: expected text")
    return value


def _flag(row: Row, name: str) -> bool:
    """A boolean of any of the databases; where the column is not there, or says nothing, its default."""
    value = row.get(name)
    if value is None:
        return True
    found = _FLAGS.get(str(int(value)) if isinstance(value, bool) else str(value).strip().lower())
    if found is None:
        raise Unfit(f"{name}: expected true or false")
    return found


def _count(row: Row, name: str, least: int = 0) -> int | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(f"{name}: expected a whole number")
    if not least <= value <= MAX_REQUESTS:
        raise Unfit(f"{name}: expected at most {MAX_REQUESTS}, and no fewer than 0")
    return value


def _needed(row: Row, name: str) -> float:
    found = moment_in(row, name)
    if found is None:
        raise Unfit(f"{name}: expected a time")
    return found


def moment_in(row: Row, name: str) -> float | None:
    """Seconds since the epoch, to the microsecond. What says nothing of its offset is UTC, as the original has it."""
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        when = _when(value)
    except (ValueError, OverflowError):
        when = None
    if when is None or when < _EPOCH:
        raise Unfit(f"{name}: expected a time, after 1970")
    return ((when - _EPOCH) // timedelta(microseconds=1)) / 1_000_000


def _when(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)
    if isinstance(value, int) and not isinstance(value, bool):
        # So its driver for SQLite reads them.
        return _EPOCH + (timedelta(milliseconds=value) if value > _MILLISECONDS_FROM else timedelta(seconds=value))
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    day, minute, seconds, fraction, offset = match.groups()
    east = "+0000" if offset in (None, "Z", "UTC") else offset.replace(":", "")
    when = datetime.strptime(f"{day} {minute or '00:00'}:{seconds or '00'} {east}", "%Y-%m-%d %H:%M:%S %z")
    return when.astimezone(timezone.utc).replace(microsecond=int((fraction or "0")[:6].ljust(6, "0")))


def notes_of(stored: Any) -> str | None:
    """The notes of a token, which the latest schemas have, if they are such as the management API takes."""
    found = _details(stored)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
    fit = all(0 < len(name) <= 64 and len(text) <= 256 and (name + text).isprintable() for name, text in texts.items())
    if not texts or not fit or len(texts) > _MOST_NOTES or "unreadable" in texts:
        return None
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def _details(metadata: Any) -> dict[str, Any]:
    if not metadata:
        return {}
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except (ValueError, RecursionError):
            return {"unreadable": metadata[:200]}
    if not isinstance(metadata, dict) or _is_deep(metadata):
        return {"unreadable": "nested too deeply" if isinstance(metadata, dict) else str(metadata)[:200]}
    return {str(name): value for name, value in metadata.items()}


def _is_deep(value: Any) -> bool:
    """Whether it is nested more than records are; found out without following it down by calls."""
    level = [value]
    for _ in range(_MOST_DEPTH):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [child for children in inner for child in children]
    return bool(level)


def ruled(what: str, rule: Callable[[Any], None], value: Any) -> None:
    try:
        rule(value)
    except ProxyError as error:
        words = f"{error.message}: {error.description}" if error.description else error.message
        raise Unfit(words if what in words else f"{what}: {words}") from None
