"""Options of a measurement: addresses, header fields and bodies, checked before anything is started."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from .values import Fields

PATH = "/v1/chat/completions"

PLACE = "{token}"
"""Stands for the token in a header field's value."""

BEARER = ("Authorization", f"Bearer {PLACE}")

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def address(url: str, path: str | None = None) -> str:
    """
    The URL of a request: C{path} is added to it, or the usual one if it has none.

    @raise ValueError: it is no URL of HTTP, or it has something that does not belong there.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected http://host or https://host, got {url.partition('?')[0]!r}")
    if parts.username is not None:
        raise ValueError("a URL may hold no user and no password: say --token-env or --token-file")
    if parts.fragment or re.search(r"[\x00-\x20\x7f-\U0010ffff]", url):
        raise ValueError("a URL may hold no fragment, no spaces, and nothing that is not ASCII")
    if parts.port == 0:
        raise ValueError("port 0 cannot be asked")
    own = parts.path.rstrip("/") if path is not None or parts.path == "/" else parts.path
    whole = own + (path if path is not None else "" if own else PATH)
    return f"{parts.scheme}://{parts.netloc}{whole}{f'?{parts.query}' if parts.query else ''}"


def field_of(line: str) -> tuple[str, str]:
    """
    C{Name: value}.

    @raise ValueError: it is no header field, or one that the tool itself must write.
    """
    name, colon, value = line.partition(":")
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError(f"expected a field as 'Name: value', got the name {name!r}")
    if name.lower() in ("host", "content-length", "transfer-encoding", "connection"):
        raise ValueError(f"{name} is written by the benchmark itself")
    return name, value.strip()


def with_token(fields: Iterable[tuple[str, str]], token: str | None) -> Fields:
    """The fields for one target; without a token those that would hold it are left out."""
    found = list(fields)
    if not any(PLACE in value for _, value in found):
        found.append(BEARER)
    if token is None:
        return tuple((name, value) for name, value in found if PLACE not in value)
    return tuple((name, value.replace(PLACE, token)) for name, value in found)


def token_of(text: str) -> str:
    """
    A token as it stands in a file or a variable.

    @raise ValueError: it could not be sent in a header field. The message does not show it.
    """
    token = text.strip()
    if not token or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError("holds no token: expected one word of ASCII")
    return token


def chat(model: str) -> bytes:
    """A small request."""
    return _compact({"model": model, "messages": [{"role": "user", "content": "Hello there"}]})


def streamed(body: bytes) -> bytes | None:
    """The same that asks for a stream; C{None} if it is no JSON object."""
    try:
        asked: Any = json.loads(body)
    except ValueError:
        return None
    return _compact({**asked, "stream": True}) if isinstance(asked, dict) else None


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
