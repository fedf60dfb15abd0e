"""Rules of single values of a configuration; each returns the value or raises C{ValueError} with a sentence."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from ..apisettings import FORWARDING
from ..core.fields import CLIENT_ADDRESS_FIELDS, HOP_BY_HOP
from ..core.forwarded import FORWARDED, UNIX, X_FORWARDED_FOR, network
from ..core.notable import DECISIVE, KEY_FIELDS, OVERRIDES
from ..core.policy import NEVER
from ..origin import CredentialPlace, Origin
from ..providers.registry import AUTH, BY_NAME, DIALECTS, provider_of_key

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""RFC 9110 section 5.6.2."""

_API_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?", re.ASCII)
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_PORTS = {"http": 80, "https": 443}

_REASONS = {
    "TRACE": "an answer to it repeats the request, with the project's key in it",
    "CONNECT": "it asks for a tunnel to another host, and the proxy makes none",
}


def base_url(text: str) -> tuple[Origin, bytes]:
    """
    Where an API is: its origin, and the path that every target goes below, without a slash at its end.

    The key is kept apart from the address: neither user information nor a query may stand in it.
    """
    if not text.isascii() or any(character <= " " or character == "\x7f" for character in text):
        raise ValueError(f"expected a URL of ASCII characters without spaces, got {text!r}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"expected a URL such as https://api.example.com, got {text!r} ({error})") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"expected a URL such as https://api.example.com, got {text!r}")
    if "@" in parts.netloc:
        raise ValueError("a base_url holds no user information; upstream keys belong to projects")
    if "?" in text or "#" in text:
        raise ValueError(f"a base_url has no query and no fragment, got {text.split('?')[0].split('#')[0]!r} and more")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError(f"expected a port from 1 to 65535, got {parts.netloc!r}")
    if parts.path and not _PATH.fullmatch(parts.path):
        raise ValueError(f"{parts.path!r} is not the path of a URL")
    return _origin(parts.scheme, parts.hostname, port), parts.path.rstrip("/").encode("ascii")


def _origin(scheme: str, host: str, port: int | None) -> Origin:
    if ":" not in host and not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is not the name of a host")
    shown = f"[{host}]" if ":" in host else host
    if port is None or port == _PORTS[scheme]:
        return Origin(scheme, host, _PORTS[scheme], shown.encode("ascii"))
    return Origin(scheme, host, port, f"{shown}:{port}".encode("ascii"))


def api_name(text: str, reserved: frozenset[str]) -> str:
    """The first segment of the paths that an API is served at."""
    if not _API_NAME.fullmatch(text):
        raise ValueError(
            f"an API is served at /<name>/: expected letters, digits and . _ ~ - (at most 64), got {text[:80]!r}"
        )
    if text in reserved:
        raise ValueError(f"the name {text!r} is taken by the proxy itself (reserved: {', '.join(sorted(reserved))})")
    return text


def endpoint(text: str) -> str:
    """A path, or the beginning of one; a C{*} stands for one segment."""
    if not _PATH.fullmatch(text):
        raise ValueError(f"expected a path such as /v1/models without query and spaces, got {text!r}")
    return text


def method(text: str) -> str:
    """The reference compares methods without regard to case; those that are registered are in upper case."""
    if not TOKEN.fullmatch(text):
        raise ValueError(f"expected a method such as GET or POST, got {text!r}")
    name = text.upper()
    if name.encode() in NEVER:
        raise ValueError(f"{name} cannot be allowed: {_REASONS.get(name, _REASONS['TRACE'])}")
    return name


NO_PARAMETERS = "expected parameters with their patterns; unchecked_endpoints names where nothing is checked"


def header_name(text: str) -> str:
    if not TOKEN.fullmatch(text):
        raise ValueError(f"expected the name of a header field, got {text!r}")
    return text


def allowed_origin(text: str) -> str:
    """RFC 6454 section 6.2: scheme, host, port; C{*} stands for all of them."""
    if text in ("*", "null"):
        return text
    try:
        parts = urlsplit(text)
        valid = bool(parts.scheme and parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        valid = False
    if not valid or text != f"{parts.scheme}://{parts.netloc}" or not text.isascii() or " " in text:
        raise ValueError(f"expected an origin such as https://app.example.com (no path), got {text!r}")
    return text


def dialect(text: str) -> str:
    if text not in DIALECTS:
        raise ValueError(f"expected one of {', '.join(DIALECTS)}, got {text!r}")
    return text


def forwarded_fields(text: str) -> str:
    if text not in FORWARDING:
        raise ValueError(f"expected one of {', '.join(FORWARDING)}, got {text[:40]!r}")
    return text


def trusted_proxy(text: str) -> str:
    """An address, a network, or C{unix}."""
    if text != UNIX:
        network(text)
    return text


def directory(text: str) -> str:
    """The path of a directory, which need not be there yet."""
    if not text.strip() or "\0" in text:
        raise ValueError(f"expected the path of a directory, got {text[:40]!r}")
    if os.path.exists(text) and not os.path.isdir(text):
        raise ValueError(f"{text!r} is there, and is no directory")
    return text


def forwarded_header(text: str) -> str:
    if text.lower() not in (X_FORWARDED_FOR, FORWARDED):
        raise ValueError(f"expected {X_FORWARDED_FOR} or {FORWARDED}, got {text[:40]!r}")
    return text.lower()


def secret(text: str) -> str:
    """A key of a provider. What is wrong with it is said without showing it."""
    if not text:
        raise ValueError("expected a key, and it is empty")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("expected a key of printable ASCII characters without spaces (it is not shown)")
    return text


_SECRET_FIELD = re.compile(r"auth|cookie|credential|password|secret|token|(?:^|-)key$|api-?key", re.ASCII)
"""Names of fields, in lower case, that hold what nobody else may see."""

_UNADDED = HOP_BY_HOP | DECISIVE | OVERRIDES | CLIENT_ADDRESS_FIELDS | {b"trailer", b"via", b"x-request-id"}


def added_field(text: str) -> str:
    """The name of a field that requests get: one that decides nothing about framing, routing or who is asking."""
    if not TOKEN.fullmatch(text):
        raise ValueError(f"expected the name of a header field, got {text[:40]!r}")
    name = text.lower().replace("_", "-")
    if name.encode() in KEY_FIELDS or _SECRET_FIELD.search(name):
        raise ValueError(f"{text} holds a credential: give that as key, and its place as auth: {{header: {text}}}")
    if name.encode() in _UNADDED:
        raise ValueError(f"{text} cannot be added: it is about the connection, the framing or the address of a request")
    return text


def added_value(text: str) -> str:
    """What such a field says. A key is found by its shape, and not shown."""
    if provider_of_key(text.removeprefix("Bearer ").strip()):
        raise ValueError("this looks like a provider's key: give it as key, as ${VARIABLE} or file:/path (not shown)")
    if not text or not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ValueError("expected the value of a header field: printable ASCII without spaces around it")
    return text


def upstream_name(text: str) -> str:
    """Of an upstream, or the one that a project's keys are held by."""
    if not _API_NAME.fullmatch(text):
        raise ValueError(f"expected letters, digits and . _ ~ - (at most 64), got {text[:80]!r}")
    return text


def region(text: str) -> str:
    """Where an upstream is, in the operator's words."""
    if not text or len(text) > 64 or not text.isprintable():
        raise ValueError(f"expected a short text such as eu-west, got {text[:80]!r}")
    return text


def api_version(text: str) -> str:
    """A value that needs no escaping in a query."""
    if not re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", text, re.ASCII):
        raise ValueError(f"expected a version such as 2024-10-21, got {text[:80]!r}")
    return text


def host_field(text: str) -> str:
    """A value of C{Host}: a name or an address, and a port if it is not the scheme's own."""
    try:
        origin, path = base_url(f"http://{text}")
    except ValueError:
        raise ValueError(
            f"expected a host such as api.example.com or api.example.com:8443, got {text[:80]!r}"
        ) from None
    if path or "/" in text or not origin.host:
        raise ValueError(f"expected a host without a path, got {text[:80]!r}")
    return text


def server_name(text: str) -> str:
    """RFC 6066 section 3: a name, no address, and without a port."""
    if not _HOST.fullmatch(text) or text.replace(".", "").isdigit():
        raise ValueError(f"expected the name of a host, got {text[:80]!r}")
    return text


def provider(text: str) -> str:
    if text not in BY_NAME:
        raise ValueError(f"expected one of {', '.join(BY_NAME)}, got {text[:40]!r}")
    return text


def model_name(text: str) -> str:
    """One name, no pattern."""
    if not text.strip() or not text.isprintable() or "*" in text:
        raise ValueError(f"expected the name of a model, got {text[:80]!r}")
    return text


def sticky(text: str) -> str:
    """What goes to the same upstream; the name of a field in lower case."""
    kind, colon, name = text.partition(":")
    if text in ("project", "token"):
        return text
    if kind == "header" and colon and TOKEN.fullmatch(name.strip()):
        return f"header:{name.strip().lower()}"
    raise ValueError(f"expected project, token or header:NAME, got {text[:80]!r}")


def project(text: str) -> str:
    """The name or the id of a project. C{*} could be one, and reads as everybody."""
    if text.strip() == "*":
        raise ValueError("* is no project: write all in the place of the list for every project, or name them")
    if not text.strip() or not text.isprintable():
        raise ValueError(f"expected the name or the id of a project, got {text[:40]!r}")
    return text


def all_projects(text: str) -> str:
    if text != "all":
        raise ValueError(f"expected all, or a list of projects such as [search, team-a], got {text[:40]!r}")
    return text


def auth(text: str) -> CredentialPlace:
    """One of the short names."""
    if text not in AUTH:
        raise ValueError(
            f"expected one of {', '.join(AUTH)}, or a mapping such as {{header: x-api-key}} or {{query: key}}, "
            f"got {text[:40]!r}"
        )
    return AUTH[text]


def credential_place(header: str | None, query: str | None, prefix: str | None) -> CredentialPlace:
    """The long form of C{auth}."""
    if (header is None) == (query is None):
        raise ValueError("expected either header or query, with the name of one")
    name = header if header is not None else query
    if not TOKEN.fullmatch(name or ""):
        raise ValueError(f"expected a name, got {name!r}")
    if prefix is not None and (query is not None or not prefix.isascii() or not prefix.isprintable()):
        raise ValueError("a prefix is printable ASCII text before a key in a header field")
    kind = "header" if header is not None else "query"
    return CredentialPlace(kind, (name or "").encode("ascii"), (prefix or "").encode("ascii"))  # type: ignore[arg-type]
