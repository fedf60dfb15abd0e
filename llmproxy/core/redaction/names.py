"""Names of what is secret whatever it looks like: members of bodies, and header fields."""

from __future__ import annotations

import re
from functools import lru_cache

from ..masking import MASKED

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN = re.compile(r"[^A-Za-z0-9]+")
_SECRET = re.compile(
    r"(?:^|_)(?:(?:api_?key|secret|secret_?key|access_?key|private_?key|signing_?key|pass_?word|passwd|passphrase"
    r"|authorization|auth|cookie|credential)s?|token|bearer)$"
)
_NO_SECRETS = frozenset({"max_token", "stop_token", "pad_token", "eos_token", "bos_token", "next_page_token"})

_SUSPICIOUS = (
    *('key"', 'keys"', "secret", "passw", "passphrase", "authoriz", 'auth"', 'auths"', "cookie", "credential"),
    *('token"', 'bearer"'),
)
"""What a JSON text has in it, in lower case, that has a member of such a name."""

_LONG = 16 * 1024
_WORDS = frozenset({"true", "false", "null", "none", "bearer", "basic"})
"""What is no secret, and what stands in front of one that is found by its look."""

_ASSIGNED = re.compile(
    r"""(?<![\w.-])(["']?)([\w.-]{1,64})(\1\s{0,4}[:=]>?\s{0,4})("[^"\n]*"?|'[^'\n]*'?|[^\s,;&{}\[\]()<>"']+)"""
)
"""A name with what it is given, in JSON that is none, YAML, variables, programs."""

_QUOTED = re.compile(r"""(["'])([\w.-]{1,64})(\1\s{0,4}:\s{0,4})("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)""")
"""A member with a text, of an object that somebody quotes in a text."""

_NESTED = re.compile(r"""(\\{1,7}["'])([\w.-]{1,64})(\1\s{0,4}:\s{0,4})(\1(?:(?!\1)[^\n])*(?:\1)?)""")
"""Likewise of one in a text of another one."""

_FIELD_NAME = r"((?:proxy-)?authorization|(?:set-)?cookie)(:[ \t]{1,8})(?:(bearer|basic)[ \t]+)?"
_HEADER = re.compile(rf"(?i)(?<![\w.-])(?:(?<=[\"'])(){_FIELD_NAME}([^\n\r\"']+)|(){_FIELD_NAME}([^\n\r]+))")
_HEADER_LINE = re.compile(rf"(?im)(?:(?<=[\"'])(){_FIELD_NAME}([^\n\r\"']+)|^(){_FIELD_NAME}([^\n\r]+))")
"""A header field that is all secret: up to the end of its line, or of the quotes in which a shell has it."""

_LOGIN = re.compile(r"(?<=://)([^\s/@:\"'<>]{0,128}:)[^\s/@\"'<>]{1,256}(?=@)")
"""The password of a URL."""

FIELDS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "www-authenticate",
        "proxy-authenticate",
        "authentication-info",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-llmproxy-token",
        "sec-websocket-protocol",
        "x-forwarded-client-cert",
        "x-amz-security-token",
        "cf-access-jwt-assertion",
    }
)
"""Header fields that carry credentials; so does each that is named for one."""

_FIELD = re.compile(
    r"(?:^|[_-])(?:key|secret|password|token|auth|authorization|cookie|credential|signature|assertion|jwt)s?$"
)


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether the member of an object is named for a secret."""
    if len(name) > 64:
        return False
    plain = _BETWEEN.sub("_", _HUMP.sub("_", name)).lower()
    return _SECRET.search(plain) is not None and plain not in _NO_SECRETS


def is_credential(field: str) -> bool:
    """Whether a header field, in lower case, carries a credential."""
    return field in FIELDS or _FIELD.search(field) is not None


def may_name(lowered: str) -> bool:
    """Whether a JSON text, in lower case, may have a member that L{is_secret}."""
    for each in _SUSPICIOUS:  # noqa: SIM110
        if each in lowered:
            return True
    return False


def without_assigned(text: str) -> str:
    """A text that is no JSON without what stands behind the name of a secret."""
    # A search in one call lets no other thread run.
    lines = text.split("\n") if len(text) > _LONG else (text,)
    return "\n".join([_ASSIGNED.sub(_without_value, _HEADER.sub(_without_field, line)) for line in lines])


def may_login(text: str) -> bool:
    """Whether a text may have a URL with a password in it."""
    return "@" in text and "://" in text


def without_quoted(text: str) -> str:
    """
    What people write to each other without the secrets of objects and header fields that are quoted amid it, and of
    URLs. Elsewhere a name says nothing there: C{token: str} is the line of a program.
    """
    lowered = text.lower()
    if may_name(lowered.replace("'", '"') if "'" in lowered else lowered):
        # A search in one call lets no other thread run.
        lines = text.split("\n") if len(text) > _LONG else (text,)
        text = "\n".join(map(_without_quoted, lines))
    return _LOGIN.sub(rf"\1{MASKED}", text) if may_login(text) else text


def _without_quoted(text: str) -> str:
    if "\\" in text:
        text = _NESTED.sub(_without_value, text)
    text = _QUOTED.sub(_without_value, text)
    lowered = text.lower()
    return _HEADER_LINE.sub(_without_field, text) if "authoriz" in lowered or "cookie" in lowered else text


def _without_field(found: re.Match[str]) -> str:
    name, colon, scheme = found.group(2, 3, 4) if found[2] else found.group(7, 8, 9)
    return f"{name}{colon}{scheme + ' ' if scheme else ''}{MASKED}"


def _without_value(found: re.Match[str]) -> str:
    if not is_secret(found[2]) or found[4].lower() in _WORDS:
        return found[0]
    quote = found[1] if found[4].startswith("\\") else found[4][0] if found[4][0] in "\"'" else ""
    return f"{found[1]}{found[2]}{found[3]}{quote}{MASKED}{quote}"
