"""What a request body says about the parameters of a whitelist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from ..errors import BadRequest, ParamNotAllowed, UnsupportedMediaType
from .models import named

MOST_FIELDS = 1000
"""Fields of a form, and parts of a multipart body, that are looked at; more are refused."""

LONGEST_VALUE = 1024
"""Characters: no value of a whitelist is longer, so a longer one matches none of its patterns."""

_SHOWN = 100


class Rule(Protocol):
    @property
    def patterns(self) -> tuple[str, ...]: ...

    def allows(self, value: str) -> bool: ...


Whitelist = Mapping[str, Rule]
Pairs = Iterable[tuple[str, object]]


def inspect(content_type: bytes | None, body: bytes, whitelist: Whitelist) -> str:
    """
    Check the parameters in a body.

    A parameter that is absent is allowed. What cannot be read with certainty is refused, because upstream could
    read in it what the whitelist forbids.

    @return: the model that it names; C{""} for none.
    @raise ParamNotAllowed: a value matches no pattern.
    @raise BadRequest: unparsable, or a name stands twice.
    @raise UnsupportedMediaType: a media type or charset of which the parameters are not known.
    """
    return check(_pairs(content_type, body), whitelist) if body else ""


def inspect_query(query: bytes, whitelist: Whitelist) -> None:
    """Check the parameters in a query string; others than those of the whitelist are nobody's business."""
    if query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
        check(((name, value) for name, value in pairs if name in whitelist), whitelist)


def check(pairs: Pairs, whitelist: Whitelist) -> str:
    """Every value of a parameter must be allowed, however often its name stands there. Gives the C{model}."""
    model = ""
    for name, value in pairs:
        if name == "model":
            model = named(value)
        rule = whitelist.get(name)
        if rule is None:
            continue
        text = value if isinstance(value, str) else None
        if text is None or len(text) > LONGEST_VALUE or not rule.allows(text):
            raise ParamNotAllowed(message=_refusal(name, value if text is None else text, rule))
    return model


def _refusal(name: str, value: object, rule: Rule) -> str:
    shown = str(value)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    return f"Parameter '{name}' value '{shown}' is not allowed. Allowed patterns: [{' '.join(rule.patterns)}]"


def _pairs(content_type: bytes | None, body: bytes) -> Pairs:
    media_type, parameters = _media_type(content_type)
    # Without a media type a JSON API reads JSON.
    if media_type in ("", "application/json", "text/json") or media_type.endswith("+json"):
        return _json(body, parameters.get("charset", "utf-8"))
    if media_type == "application/x-www-form-urlencoded":
        return _form(body)
    if media_type == "multipart/form-data":
        return _multipart(body, parameters.get("boundary", ""))
    raise UnsupportedMediaType(f"parameters of '{media_type[:_SHOWN]}' cannot be checked")


def _media_type(content_type: bytes | None) -> tuple[str, dict[str, str]]:
    if not content_type:
        return "", {}
    message = Message()
    message["Content-Type"] = content_type.decode("latin-1")
    parameters = message.get_params(failobj=[])[1:]
    if len({name.lower() for name, _ in parameters}) != len(parameters):
        raise BadRequest("a parameter of Content-Type stands twice")
    media_type = content_type.split(b";", 1)[0].strip().lower().decode("latin-1")
    return media_type, {name.lower(): str(value) for name, value in parameters}


def _json(body: bytes, charset: str) -> Pairs:
    if charset.lower() not in ("utf-8", "utf8", "us-ascii"):
        # RFC 8259 section 8.1: JSON between systems is UTF-8.
        raise UnsupportedMediaType(f"JSON in the charset '{charset[:_SHOWN]}' cannot be checked")
    top: list[tuple[str, object]] = []

    def seen(pairs: list[tuple[str, object]]) -> object:
        # Called for the innermost objects first, so that the outermost is what stays.
        top[:] = pairs
        return _OBJECT

    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=seen,
            parse_constant=_no_constant,
            # Numbers as they are spelled: what a pattern sees is what upstream sees.
            parse_int=str,
            parse_float=str,
        )
    except RecursionError:
        raise BadRequest("the JSON is nested too deeply") from None
    except ValueError:
        raise BadRequest("the body is not valid JSON") from None
    if document is not _OBJECT:
        raise BadRequest("the body is not a JSON object")
    return _as_text(top)


def _as_text(pairs: list[tuple[str, object]]) -> Pairs:
    names: set[str] = set()
    for name, value in pairs:
        if name in names:
            # RFC 8259 section 4: which one counts differs from parser to parser.
            raise BadRequest(f"'{name[:_SHOWN]}' stands twice in the request")
        names.add(name)
        yield name, _spelled(value)


def _spelled(value: object) -> object:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return _ARRAY if isinstance(value, list) else value


class _Content:
    """What stands for a parameter and is no text that a pattern could match."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __str__(self) -> str:
        return self._shown


_OBJECT = _Content("{...}")
_ARRAY = _Content("[...]")
_FILE = _Content("(a file)")


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _form(body: bytes) -> Pairs:
    try:
        text = body.decode("utf-8")
        return parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise BadRequest("the body is not a valid form") from None


def _multipart(body: bytes, boundary: str) -> Iterator[tuple[str, object]]:
    """
    The fields of a form, RFC 7578; a part with a file name counts by its name and has no value to match.

    Stricter than RFC 2046, because what one parser takes for content is a field to a more generous one.
    """
    if not boundary or len(boundary) > 70:
        raise BadRequest("the multipart boundary is missing or too long")
    delimiter = b"\r\n--" + boundary.encode("latin-1")
    body = b"\r\n" + body
    if len(re.findall(b"[\r\n]" + re.escape(delimiter[2:]), body)) != body.count(delimiter):
        raise BadRequest("a multipart delimiter does not stand on a line of its own")
    parts = body.split(delimiter, MOST_FIELDS + 1)
    if len(parts) < 2 or parts[0] or len(parts) > MOST_FIELDS + 1 or not parts[-1].startswith(b"--"):
        raise BadRequest("the multipart body is malformed or has too many parts")
    for part in parts[1:-1]:
        name, value = _part(part)
        yield name, value
        if "%" in name:
            # Browsers write quotes in names this way, so there are parsers that undo it.
            yield unquote(name), value


# RFC 7578 section 4.2 knows no name*, and a backslash in a name is read in more than one way.
_TWO_NAMES = re.compile(
    r"""[;\s]name\s*\*|[;\s]name\s*=.*[;\s]name\s*=|[;\s]name\s*="[^"]*\\""", re.IGNORECASE | re.DOTALL
)


def _part(part: bytes) -> tuple[str, object]:
    if not part.startswith(b"\r\n"):
        raise BadRequest("a multipart delimiter is malformed")
    head, blank, content = part[2:].partition(b"\r\n\r\n")
    if not blank:
        raise BadRequest("a part of the multipart body has no end of its head")
    message = Message()
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or name.strip() != name or not name:
            raise BadRequest("a field of a multipart head is malformed")
        message[name.decode("latin-1")] = value.strip().decode("utf-8", "surrogateescape")
    dispositions = message.get_all("Content-Disposition", [])
    field_name = message.get_param("name", header="Content-Disposition")
    if len(dispositions) != 1 or not isinstance(field_name, str) or _TWO_NAMES.search(dispositions[0]):
        raise BadRequest("a part of the multipart body has no name, or more than one")
    if message.get_param("filename", header="Content-Disposition") is not None:
        return field_name, _FILE
    if message.get("Content-Transfer-Encoding", "binary").lower() not in ("binary", "7bit", "8bit"):
        raise BadRequest("a part of the multipart body is encoded")
    try:
        return field_name, content.decode("utf-8")
    except UnicodeDecodeError:
        return field_name, _FILE
