"""The certificate and key files of C{ENABLE_TLS}, checked before a port is opened, and the endpoint that uses them."""

from __future__ import annotations

import os
import re

from .problems import Problems

_COLON = re.compile(r"(?<!\\):")


def tls_description(description: str, certificate: str, key: str) -> str:
    """
    The endpoint description that serves TLS where C{description} would have served plain text.

    Paths are made absolute: a daemon changes its directory before it opens its ports.

    @raise ValueError: TLS is not spoken there, at a Unix socket for example.
    """
    kind, _, rest = description.partition(":")
    if kind == "ssl":
        return description
    if kind not in ("tcp", "tcp6"):
        raise ValueError(f"ENABLE_TLS needs an address with a port such as :8443, got {description!r}")
    if kind == "tcp6" and "interface=" not in rest:
        rest += ":interface=\\:\\:"
    return f"ssl:{rest}:privateKey={_escaped(key)}:certKey={_escaped(certificate)}"


def _escaped(path: str) -> str:
    return os.path.abspath(path).replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")


def certificate_file(description: str) -> str:
    """The path of the certificate that an endpoint of TLS serves, C{""} if it names none."""
    options = dict(part.partition("=")[::2] for part in _COLON.split(description)[2:])
    path = options.get("certKey") or options.get("privateKey") or ""
    return re.sub(r"\\(.)", r"\1", path)


def check_certificate(certificate: str, key: str, problems: Problems) -> None:
    """Note what keeps a server from using the two files together; nothing of their content is in the sentences."""
    # A tenth of a second, for those who serve TLS by these variables only.
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    content = {"TLS_CERT_FILE": _content("TLS_CERT_FILE", certificate, problems)}
    content["TLS_KEY_FILE"] = _content("TLS_KEY_FILE", key, problems)
    if None in content.values():
        return
    public = private = None
    try:
        public = load_pem_x509_certificate(content["TLS_CERT_FILE"] or b"").public_key()
    except ValueError:
        problems.add("TLS_CERT_FILE", f"the file {certificate!r} holds no certificate in PEM form")
    try:
        private = load_pem_private_key(content["TLS_KEY_FILE"] or b"", None).public_key()
    except TypeError:
        problems.add("TLS_KEY_FILE", f"the key in {key!r} is encrypted: openssl pkey decrypts it")
    except ValueError:
        problems.add("TLS_KEY_FILE", f"the file {key!r} holds no private key in PEM form")
    if public is not None and private is not None and public != private:
        problems.add("TLS_KEY_FILE", f"the key in {key!r} is not that of the certificate in {certificate!r}")


def _content(name: str, path: str, problems: Problems) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        problems.add(name, f"the file {path!r} cannot be read: {error.strerror}")
        return None
