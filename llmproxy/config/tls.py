"""TLS towards clients as a configuration says it: C{tls:} of the file, and endpoints that are C{tls:} or C{ssl:}."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from .readers import Reader, a_file, all_of, by, one_of, section

if TYPE_CHECKING:
    from .document import Item

ClientAuth = Literal["none", "optional", "required"]
CLIENT_AUTH = ("none", "optional", "required")

_COLON = re.compile(r"(?<!\\):")
_OWN = frozenset({"interface", "backlog", "reuse_port", "client_auth"})
_TWISTEDS = frozenset({"interface", "backlog", "reuse_port", "privateKey", "certKey"})
"""Options of C{ssl:} with which it is served as C{tls:} is; with others it is left to Twisted."""


@frozen
class CertificateConfig:
    """
    @ivar cert: PEM file of the certificate, with those between it and the root.
    @ivar key: PEM file of its private key, not encrypted.
    """

    cert: str = ""
    key: str = ""


@frozen
class TlsConfig:
    """
    @ivar certificates: the first is for clients that name none of their hosts.
    @ivar client_ca: PEM file of the authorities whose certificates clients may have.
    @ivar client_auth: whether clients need one; C{None} is C{required} where there is a C{client_ca}.
    """

    certificates: tuple[CertificateConfig, ...] = field(default=(), converter=tuple)
    client_ca: str | None = None
    client_auth: ClientAuth | None = None


CERTIFICATE_KEYS: dict[str, Reader] = {"cert": a_file, "key": a_file}

TLS_KEYS: dict[str, Reader] = {
    "certificates": all_of(section(CertificateConfig, CERTIFICATE_KEYS)),
    "client_ca": a_file,
    "client_auth": by(one_of(*CLIENT_AUTH)),
}


def read_tls(item: Item) -> TlsConfig:
    """C{tls:}; what cannot be is noted."""
    found: TlsConfig = section(TlsConfig, TLS_KEYS)(item)
    if item.path in item.document.problems.paths:
        return found
    for at, each in enumerate(found.certificates):
        for name in ("cert", "key"):
            if not getattr(each, name):
                item.document.problems.add(
                    f"tls.certificates[{at}].{name}", "expected the path of a PEM file", item.position
                )
    if not found.certificates and found != TlsConfig():
        item.problem("expected certificates: a list of {cert: FILE, key: FILE}")
    if found.client_auth in ("optional", "required") and found.client_ca is None:
        item.problem(f"client_auth: {found.client_auth} needs client_ca: the authorities of those certificates")
    return found


@frozen
class TlsListener:
    """
    @ivar plain: the endpoint below TLS.
    @ivar certificates: paths of certificates and keys.
    """

    plain: str
    certificates: tuple[tuple[str, str], ...]
    client_ca: str | None = None
    client_auth: ClientAuth = "none"


def tls_listener(description: str, tls: TlsConfig | None) -> TlsListener | None:
    """
    What an endpoint serves with TLS of ours; C{None} for one of another kind.

    C{tls:8443} is what C{tls:} of the file says, with C{client_auth} of its own where it names one.

    @raise ValueError: it cannot be used.
    """
    kind, *rest = _COLON.split(description)
    if kind not in ("tls", "ssl"):
        return None
    port = rest[0] if rest else ""
    options = dict(part.partition("=")[::2] for part in rest[1:])
    below = [f"{name}={options[name]}" for name in ("interface", "backlog", "reuse_port") if name in options]
    plain = ":".join(["tcp", port, *below])
    if kind == "ssl":
        if options.keys() - _TWISTEDS or "privateKey" not in options:
            return None
        key = _unescaped(options["privateKey"])
        return TlsListener(plain, ((_unescaped(options.get("certKey", "")) or key, key),))
    unknown = options.keys() - _OWN
    if unknown:
        raise ValueError(f"tls: knows {', '.join(sorted(_OWN))}, not {', '.join(sorted(unknown))}")
    if tls is None or not tls.certificates:
        raise ValueError("tls: needs certificates in the file: tls: {certificates: [{cert: FILE, key: FILE}]}")
    auth = options.get("client_auth") or tls.client_auth or ("none" if tls.client_ca is None else "required")
    if auth not in CLIENT_AUTH:
        raise ValueError(f"client_auth: expected one of {', '.join(CLIENT_AUTH)}, got {auth!r}")
    if auth != "none" and tls.client_ca is None:
        raise ValueError(f"client_auth={auth} needs tls.client_ca in the file")
    pairs = tuple((each.cert, each.key) for each in tls.certificates)
    return TlsListener(plain, pairs, tls.client_ca if auth != "none" else None, auth)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
