"""TLS for clients, to hosts of any name."""

from __future__ import annotations

from typing import Any
from weakref import ref

from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from zope.interface import implementer

_NOBODY = "name.invalid"
"""RFC 6761 section 6.4: no certificate is for it."""


def tls_to(host: str, **options: Any) -> Any:
    """
    What L{optionsForClientTLS} makes, for names that IDNA has no rules for, too (C{llm_server}: RFC 5892 knows no
    underscore, RFC 2181 section 11 does): a name in ASCII is sent and verified as it is. A certificate that names
    nobody is for nobody.
    """
    return _Named(_made(host, **options), host)


def _made(host: str, **options: Any) -> Any:
    try:
        return optionsForClientTLS(host, **options)
    except UnicodeError:
        if not host.isascii():
            raise
    made: Any = optionsForClientTLS(_NOBODY, **options)
    # Private names of Twisted 26.4 to 26.10. Were they called otherwise, no certificate would be accepted.
    made._hostname = made._hostnameASCII = host
    made._hostnameBytes = host.encode("ascii")
    return made


@implementer(IOpenSSLClientConnectionCreator)
class _Named:
    """
    Connections whose certificate has to be for the host.

    Twisted 26.10 takes a certificate that names no host at all, if its authority is trusted, for any host, and logs a
    traceback at each: L{tests.upstream.test_tls} shows when this can go.
    """

    def __init__(self, inner: Any, host: str) -> None:
        self._inner = inner
        address = isIPAddress(host) or isIPv6Address(host)
        self._id = IPAddress_ID(host) if address else DNS_ID(inner._hostnameASCII)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection: SSL.Connection = self._inner.clientConnectionForTLS(tlsProtocol)
        # The connection belongs to the protocol, and is not to keep it alive.
        protocol, expected = ref(tlsProtocol), self._id

        def verify(_: SSL.Connection, certificate: Any, error: int, depth: int, ok: int) -> bool:
            if depth != 0 or not ok:
                return bool(ok)
            reason = _mismatch(certificate, expected)
            waiting = protocol()
            if reason is not None and waiting is not None:
                waiting.failVerification(reason)
            return reason is None

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection


def _mismatch(certificate: Any, expected: Any) -> Failure | None:
    """Why a certificate is not for who is expected. What cannot be read is for nobody."""
    try:
        verify_service_identity(extract_patterns(certificate), [expected], [])
    except VerificationError:
        return Failure()
    except Exception as error:
        return Failure(VerificationError(errors=[str(error)]))  # type: ignore[list-item]
    return None
