"""Certificates of an authority that lasts as long as a test."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """
    Issues certificates into files of a directory.

    @ivar ca_file: its own certificate.
    """

    def __init__(self, directory: str, name: str = "authority") -> None:
        self._directory = os.path.abspath(directory)
        os.makedirs(self._directory, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._certificate(self._name, self._key, timedelta(hours=1)).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.ca_file = self._write(f"{name}.pem", certificate.sign(self._key, hashes.SHA256()))

    def issue(
        self, name: str, lasts: timedelta = timedelta(hours=1), *, named: bool = True, also: Sequence[str] = ()
    ) -> tuple[str, str]:
        """
        Files with a certificate for C{name} and with its key.

        @param lasts: from now; negative for one that has expired.
        @param also: other names that it is for.
        @param named: whether it says for which host it is, otherwise than in its subject.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._certificate(subject, key, lasts)
        if named:
            names = x509.SubjectAlternativeName([x509.DNSName(each) for each in (name, *also)])
            certificate = certificate.add_extension(names, critical=False)
        path = self._write(f"{name}-cert.pem", certificate.sign(self._key, hashes.SHA256()))
        key_path = os.path.join(self._directory, f"{name}-key.pem")
        with open(key_path, "wb") as file:
            file.write(
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
        return path, key_path

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=2))
            .not_valid_after(now + lasts)
        )

    def _write(self, name: str, certificate: x509.Certificate) -> str:
        path = os.path.join(self._directory, name)
        with open(path, "wb") as file:
            file.write(certificate.public_bytes(serialization.Encoding.PEM))
        return path
