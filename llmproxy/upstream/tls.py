"""Who upstream has to prove to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from zope.interface import implementer

from ..errors import ConfigError

if TYPE_CHECKING:
    from .settings import ConnectionSettings


def connection_creator(settings: ConnectionSettings, host: str) -> IOpenSSLClientConnectionCreator:
    """
    TLS to C{host}: its name is verified, against the authorities of the settings or the platform.

    @raise ConfigError: a file cannot be read or holds no certificate.
    """
    if not settings.verify:
        return _Unverified(host)
    trust = None if settings.ca_file is None else trustRootFromCertificates(_certificates(settings.ca_file))
    own = None
    if settings.client_cert is not None:
        own = _own(settings.client_cert, settings.client_key or settings.client_cert)
    return optionsForClientTLS(host, trustRoot=trust, clientCertificate=own)


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """TLS to whoever answers, for those who said so."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._context = CertificateOptions(verify=False).getContext()

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_tlsext_host_name(self._host.encode("ascii"))
        return connection


def _certificates(path: str) -> list[Certificate]:
    text = _read(path)
    blocks = text.split(b"-----END CERTIFICATE-----")[:-1]
    if not blocks:
        raise ConfigError(f"{path}: holds no PEM certificate")
    return [Certificate.loadPEM(block + b"-----END CERTIFICATE-----\n") for block in blocks]


def _own(certificate: str, key: str) -> PrivateCertificate:
    try:
        return PrivateCertificate.loadPEM(_read(key) + b"\n" + _read(certificate))
    except Exception as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{certificate}: is no certificate with its key in PEM") from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
