"""
TLS towards clients: certificates by name, renewed while the proxy runs, and certificates of clients.

The settings are those of Mozilla's intermediate profile (version 5.8, read 2026-11-30): TLS 1.2 and 1.3, suites with
forward secrecy and authenticated encryption, the client's preference. Of its suites those with classic Diffie-Hellman
are left out: they need parameters of their own, and no client of the last ten years needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from ..core.servernames import by_name, chosen
from ..errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime

CIPHERS = ":".join(
    """
    ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384
    ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305
    """.split()
)
"""Those of TLS 1.2; those of 1.3 are OpenSSL's three, which are the profile's."""

ClientAuth = Literal["none", "optional", "required"]


@frozen
class ServerTls:
    """
    @ivar certificates: paths of a certificate, with those between it and the root, and of its key, in PEM form. Who
        asks for a name that none has, or for none, gets the first.
    @ivar client_ca: path of the authorities whose certificates clients may have; C{None} asks no client.
    @ivar client_auth: whether they need one.
    """

    certificates: tuple[tuple[str, str], ...]
    client_ca: str | None = None
    client_auth: ClientAuth = "none"

    @property
    def files(self) -> tuple[str, ...]:
        """All paths, each once."""
        ca = () if self.client_ca is None else (self.client_ca,)
        return tuple(dict.fromkeys([path for pair in self.certificates for path in pair] + list(ca)))


@frozen
class LoadedCertificate:
    """
    @ivar names: DNS names and addresses that it is for.
    @ivar until: when it ends.
    """

    path: str
    names: tuple[str, ...]
    until: datetime


@frozen(eq=False)
class Contexts:
    """
    What files were when they were read.

    @ivar default: of the first certificate.
    @ivar names: see L{by_name}.
    """

    default: SSL.Context
    names: dict[str, SSL.Context]
    certificates: tuple[LoadedCertificate, ...]


def load(tls: ServerTls, protocols: Sequence[bytes]) -> Contexts:
    """
    Read certificates, keys and authorities, and make contexts of them. It blocks.

    @param protocols: what is spoken above TLS, the most wanted first (RFC 7301).
    @raise ConfigError: with all that is wrong with the files; nothing of their content is in it.
    """
    contexts: list[tuple[tuple[str, ...], SSL.Context]] = []
    loaded, problems = [], []
    for path, key in tls.certificates:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        problem = _set_up(context, path, key, tls)
        if problem:
            problems.append(problem)
            continue
        _negotiate(context, protocols)
        found = _certificate(path)
        loaded.append(found)
        contexts.append((found.names, context))
    if problems:
        raise ConfigError(*problems)
    names = by_name(contexts)
    default = contexts[0][1]
    if len(contexts) > 1:

        def choose(connection: SSL.Connection) -> None:
            asked = connection.get_servername()
            name = None if asked is None else asked.decode("ascii", "replace")
            context = chosen(names, name, default)
            if context is not default:
                connection.set_context(context)

        default.set_tlsext_servername_callback(choose)
    return Contexts(default, names, tuple(loaded))


def _set_up(context: SSL.Context, path: str, key: str, tls: ServerTls) -> str:
    """What is wrong; C{""} for nothing."""
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS.encode())
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_SINGLE_ECDH_USE)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Without it OpenSSL would ask at the terminal for the password of a key.
    context.set_passwd_cb(lambda *asked: b"")
    for what, name, read in (
        ("certificate", path, lambda: context.use_certificate_chain_file(path)),
        ("private key", key, lambda: context.use_privatekey_file(key)),
    ):
        problem = _readable(name)
        if problem:
            return problem
        try:
            read()
        except SSL.Error as error:
            if "mismatch" in str(error):
                return f"tls: the key in {key} is not that of the certificate in {path}"
            return f"tls: {name}: no {what} in PEM form that can be used without a password"
    # A session may be resumed only where the same clients are let in.
    mark = sha256(repr((tls.client_ca, tls.client_auth)).encode()).digest()[:16]
    context.set_session_id(mark)
    if tls.client_ca is None or tls.client_auth == "none":
        return ""
    problem = _readable(tls.client_ca)
    if problem:
        return problem
    try:
        context.load_verify_locations(tls.client_ca)
        context.load_client_ca(tls.client_ca.encode())
    except SSL.Error:
        return f"tls: client_ca: {tls.client_ca}: no certificate in PEM form"
    needed = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if tls.client_auth == "required" else 0
    context.set_verify(SSL.VERIFY_PEER | needed, lambda connection, certificate, error, depth, good: bool(good))
    return ""


def _readable(path: str) -> str:
    try:
        with open(path, "rb"):
            return ""
    except OSError as error:
        return f"tls: the file {path} cannot be read: {error.strerror}"


def _negotiate(context: SSL.Context, protocols: Sequence[bytes]) -> None:
    def select(connection: SSL.Connection, offered: list[bytes]) -> Any:
        return next((each for each in protocols if each in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

    if protocols:
        context.set_alpn_select_callback(select)


def _certificate(path: str) -> LoadedCertificate:
    from cryptography import x509

    with open(path, "rb") as file:
        certificate = x509.load_pem_x509_certificate(file.read())
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = (*extension.get_values_for_type(x509.DNSName), *map(str, extension.get_values_for_type(x509.IPAddress)))
    except x509.ExtensionNotFound:
        names = tuple(str(each.value) for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME))
    return LoadedCertificate(path, names, certificate.not_valid_after_utc)


def identity_of(certificate: Any) -> str:
    """
    Who a client's certificate says it is, for records: its subject as RFC 4514 writes it; where that is empty, as in
    SPIFFE, its first name.

    @param certificate: of pyOpenSSL, as a transport has it; C{None} where the client has none.
    """
    from cryptography import x509

    if certificate is None:
        return ""
    found = certificate.to_cryptography()
    subject: str = found.subject.rfc4514_string()
    if subject:
        return subject[:256]
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return f"serial {found.serial_number:x}"
    return next((str(each.value)[:256] for each in names), f"serial {found.serial_number:x}")


@implementer(IOpenSSLServerConnectionCreator)
class ServerCertificates:
    """
    Makes the TLS of new connections, of the certificates as they were when they were last read.

    @param protocols: see L{load}.
    @ivar listener: the option and the endpoint of the port, which say what of C{tls:} it serves.
    """

    _log = Logger()

    def __init__(self, tls: ServerTls, protocols: Sequence[bytes], listener: tuple[str, str] = ("", "")) -> None:
        self.tls = tls
        self.listener = listener
        self._protocols = tuple(protocols)
        self._contexts: Contexts | None = None

    @property
    def loaded(self) -> tuple[LoadedCertificate, ...]:
        """Those that are served now."""
        return () if self._contexts is None else self._contexts.certificates

    def read(self) -> Contexts:
        """
        Read the files; it blocks, and changes nothing.

        @raise ConfigError: see L{load}.
        """
        return load(self.tls, self._protocols)

    def use(self, contexts: Contexts) -> None:
        """Serve these from now on; connections that stand keep their own."""
        self._contexts = contexts

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        assert self._contexts is not None, "they are read before a port is opened"
        return SSL.Connection(self._contexts.default, None)
