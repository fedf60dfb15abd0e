"""TLS to upstream: who it has to prove to be, and the certificate that we show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    trustRootFromCertificates,
)
from zope.interface import implementer

from ..errors import ConfigError
from ..net.clienttls import tls_to
from .proxies import is_address

if TYPE_CHECKING:
    from ..apisettings import ConnectionSettings

_END = b"-----END CERTIFICATE-----"
_FIRST, _SECOND = b"http/1.1", b"h2"


@implementer(IOpenSSLClientConnectionCreator)
class ClientTls:
    """
    TLS to one host, whose name is verified against the authorities of the settings or the platform's.

    Sessions are resumed (RFC 8446 section 2.2): a new connection to a host that was verified before
    costs neither of us a signature. A session belongs to this host and these settings alone.

    @param http2: offer HTTP/2 as well as HTTP/1.1, and before it.
    @raise ConfigError: a file cannot be read or holds no certificate.
    """

    def __init__(self, settings: ConnectionSettings, host: str, http2: bool = False) -> None:
        self._protocols = [_SECOND, _FIRST] if http2 else [_FIRST]
        self._inner = _creator(settings, host, self._protocols)
        self._session: SSL.Session | None = None

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = self._inner.clientConnectionForTLS(tlsProtocol)
        # Twisted 26.10 says it on connections that it makes by itself, earlier ones in their contexts.
        connection.set_alpn_protos(self._protocols)
        if self._session is not None:
            connection.set_session(self._session)
        return connection

    def remember(self, connection: SSL.Connection) -> None:
        """Resume from here the next time; in TLS 1.3 there is nothing to resume before something was received."""
        session = connection.get_session()
        if session is not None:
            self._session = session


def _creator(settings: ConnectionSettings, host: str, protocols: list[bytes]) -> Any:
    # Twisted turns tickets off; a client is resumed by nothing else.
    options: dict[str, Any] = {"enableSessionTickets": True, **_own(settings)}
    if not settings.verify:
        return _Unverified(host, CertificateOptions(verify=False, acceptableProtocols=protocols, **options))
    trust = None if settings.ca_file is None else trustRootFromCertificates(_certificates(settings.ca_file))
    return tls_to(host, trustRoot=trust, acceptableProtocols=protocols, extraCertificateOptions=options)


class _Unverified:
    """TLS without a check of who answers, where the configuration says so."""

    def __init__(self, host: str, options: CertificateOptions) -> None:
        # RFC 6066 section 3: an address is no server name.
        self._name = None if is_address(host) else host.encode("idna")
        self._context = options.getContext()

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._name is not None:
            connection.set_tlsext_host_name(self._name)
        return connection


def _own(settings: ConnectionSettings) -> dict[str, Any]:
    """Our certificate, the chain behind it, and its key."""
    path = settings.client_cert
    if path is None:
        return {}
    first, *chain = (each.original for each in _certificates(path))
    key_path = settings.client_key or path
    try:
        # An empty passphrase: without one OpenSSL asks the terminal.
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, _read(key_path), passphrase=b"")
        pair = SSL.Context(SSL.TLS_METHOD)
        pair.use_certificate(first)
        pair.use_privatekey(key)
        pair.check_privatekey()
    except (crypto.Error, SSL.Error, ValueError):
        raise ConfigError(f"{key_path}: is not the private key of {path} in PEM, without a passphrase") from None
    return {"privateKey": key, "certificate": first, "extraCertChain": chain}


def _certificates(path: str) -> list[Certificate]:
    blocks = _read(path).split(_END)[:-1]
    if not blocks:
        raise ConfigError(f"{path}: holds no PEM certificate")
    try:
        return [Certificate.loadPEM(block + _END + b"\n") for block in blocks]
    except (crypto.Error, ValueError):
        raise ConfigError(f"{path}: holds a broken PEM certificate") from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
