"""A real Redis, started by the test run itself on a free port and in a directory of its own."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .processes import free_port

COMMAND = shutil.which("redis-server")
MOST_PORT = 55535
"""The nodes of a cluster talk to each other on a port that is 10,000 higher."""

MISSING = None if COMMAND else "redis-server is not installed"


class RedisServer:
    """
    @param settings: of redis-server, without their dashes.
    @ivar port: the same after a restart.
    """

    def __init__(self, **settings: str) -> None:
        self.directory = tempfile.mkdtemp(prefix="llmproxy-redis-")
        self.port = free_port()
        while self.port > MOST_PORT:
            self.port = free_port()
        self._settings = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no"} | settings
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def start(self) -> RedisServer:
        assert COMMAND is not None
        words = [COMMAND, "--dir", self.directory, "--daemonize", "no"]
        for name, value in self._settings.items():
            words += [f"--{name.replace('_', '-')}", value]
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()
        return self

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as the kernel ends it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it and leave nothing behind."""
        atexit.unregister(self.close)
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def ask(self, *words: str | bytes) -> Any:
        """What redis-cli would be told, as text; waits for it."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            data = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
            connection.sendall(data)
            return _reply(connection.makefile("rb"))

    def calls(self, name: str) -> int:
        """How often a command was called since it was started, those that scripts call included."""
        found = re.search(rb"cmdstat_%s:calls=(\d+)" % name.encode(), self.ask("INFO", "commandstats"))
        return 0 if found is None else int(found[1])

    def _wait(self) -> None:
        until = time.monotonic() + 10
        port = int(self._settings.get("tls_port") or self.port)
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        with open(os.path.join(self.directory, "log")) as log:
            raise AssertionError(f"redis-server did not start: {log.read()}")


def _reply(file: Any) -> Any:
    line = file.readline()[:-2]
    kind, rest = line[:1], line[1:]
    if kind == b"-":
        raise AssertionError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else file.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [_reply(file) for _ in range(int(rest))]
    return rest


def make_certificate(directory: str, name: str = "localhost") -> tuple[str, str]:
    """Files with a certificate for a name, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(issuer)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    os.makedirs(directory, exist_ok=True)
    paths = (os.path.abspath(os.path.join(directory, "cert.pem")), os.path.abspath(os.path.join(directory, "key.pem")))
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for path, content in zip(paths, (certificate.public_bytes(serialization.Encoding.PEM), encoded), strict=True):
        with open(path, "wb") as file:
            file.write(content)
    return paths


_shared: list[RedisServer] = []


def shared_server() -> RedisServer:
    """One for all tests that do it no harm; it ends with the test run."""
    if not _shared:
        _shared.append(RedisServer().start())
    return _shared[0]
