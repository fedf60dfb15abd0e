"""A look at the files of certificates and keys that a configuration names."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ..config.tls import tls_listener
from ..core.doctor.certificates import CertificateFacts
from .look_configuration import mode_of
from .subject import Subject

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def look_at_certificates(subject: Subject) -> tuple[CertificateFacts, ...]:
    """Those of our ports, those that we show to upstream, and the authorities that are trusted."""
    return tuple(look_at(use, path, key) for use, path, key in dict.fromkeys(_files(subject)))


def _files(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """What each is for, the paths of certificate and key; C{""} for no key."""
    settings, apis = subject.settings, subject.apis
    for _, description in () if settings is None else settings.listeners:
        try:
            listener = None if apis is None else tls_listener(description, apis.tls)
        except ValueError:
            continue
        if listener is None:
            continue
        use = ":".join(description.split(":")[:2])
        for cert, key in listener.certificates:
            yield use, cert, key
        if listener.client_ca is not None:
            yield f"{use}, authorities of clients", listener.client_ca, ""
    for name, api in {} if apis is None else apis.apis.items():
        connection = api.connection
        if connection.client_cert is not None:
            yield f"{name}, shown to upstream", connection.client_cert, connection.client_key or connection.client_cert
        if connection.ca_file is not None:
            yield f"{name}, trusted for upstream", connection.ca_file, ""


def look_at(use: str, path: str, key: str, now: float | None = None) -> CertificateFacts:
    """
    A certificate, with what follows it in its file, and its key.

    @param key: C{""} for authorities: each certificate in the file stands for itself, and the last to expire counts.
    """
    from cryptography import x509

    moment = time.time() if now is None else now
    try:
        with open(path, "rb") as file:
            content = file.read()
        with warnings.catch_warnings():
            # Old roots of the web are not as cryptography would have them; nobody here can mend that.
            warnings.simplefilter("ignore")
            found = x509.load_pem_x509_certificates(content)
            ends = [each.not_valid_after_utc.timestamp() for each in found]
            begins = [each.not_valid_before_utc.timestamp() for each in found]
    except OSError as error:
        return CertificateFacts(use, path, key, error=f"cannot be read: {error.strerror}")
    except ValueError:
        return CertificateFacts(use, path, key, error="holds no certificate in PEM form")
    if not found:
        return CertificateFacts(use, path, key, error="holds no certificate in PEM form")
    first = found[0]
    wrong, matches = _key(first, key) if key else ("", True)
    return CertificateFacts(
        use,
        path,
        key,
        error=wrong,
        names=tuple(_names(first)),
        # One authority of many that has expired is replaced by another; a chain holds as long as all of it.
        begins_in=(max(begins) if key else min(begins)) - moment,
        expires_in=(min(ends) if key else max(ends)) - moment,
        matches=matches,
        chain=not key or _is_chain(found),
        complete=not key or len(found) > 1 or first.issuer == first.subject,
        key_mode=mode_of(key) if key else None,
    )


def _is_chain(found: Sequence[Certificate]) -> bool:
    return all(one.issuer == other.subject for one, other in pairwise(found))


def _key(certificate: Certificate, path: str) -> tuple[str, bool]:
    """What is wrong with a key's file, and whether it is the certificate's."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with open(path, "rb") as file:
            private = load_pem_private_key(file.read(), None)
    except OSError as error:
        return f"its key {path} cannot be read: {error.strerror}", True
    except TypeError:
        return f"its key {path} is encrypted: openssl pkey decrypts it", True
    except ValueError:
        return f"{path} holds no private key in PEM form", True
    return "", private.public_key() == certificate.public_key()


def _names(certificate: Certificate) -> Iterator[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for each in found:
        yield str(each.value)
