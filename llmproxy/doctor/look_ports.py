"""A look at ports: whether they are free, and who has them."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from ..config.tls import tls_listener
from ..core.doctor.ports import PortFacts
from .subject import Subject

_COLON = re.compile(r"(?<!\\):")
_LISTENING = "0A"
"""In C{/proc/net/tcp}: TCP_LISTEN of linux/include/net/tcp_states.h."""

ASKED_FOR = 1.0
"""Seconds that what has a port gets to say what it is."""


def look_at_ports(subject: Subject) -> tuple[PortFacts, ...]:
    """Each address of the configuration, tried and given back at once."""
    if subject.settings is None:
        return ()
    return tuple(_look(option, text, subject) for option, text in subject.settings.listeners)


def _look(option: str, description: str, subject: Subject) -> PortFacts:
    kind = description.partition(":")[0]
    shown = _shown(description)
    is_tls = kind in ("tls", "ssl")
    if is_tls and subject.apis is not None:
        try:
            listener = tls_listener(description, subject.apis.tls)
        except ValueError as error:
            return PortFacts(option, shown, "unknown", why=str(error))
        if listener is not None:
            description = listener.plain
    kind, *rest = _COLON.split(description)
    settings = dict(part.partition("=")[::2] for part in rest[1:])
    if kind == "unix":
        return _unix(option, shown, rest[0].replace("\\:", ":"))
    if kind not in ("tcp", "tcp6", "ssl", "tls") or not rest or not rest[0].isdecimal():
        return PortFacts(option, shown, "unknown")
    host = settings.get("interface", "").replace("\\:", ":") or ("::" if kind == "tcp6" else "0.0.0.0")
    return _tcp(option, shown, host, int(rest[0]), is_tls)


def _shown(description: str) -> str:
    """Without the paths of keys."""
    kind, *rest = _COLON.split(description)
    kept = [part for part in rest if not part.startswith(("privateKey=", "certKey=", "mode="))]
    return ":".join([kind, *kept])


def _tcp(option: str, shown: str, host: str, port: int, is_tls: bool) -> PortFacts:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return PortFacts(option, shown, "free")
        except PermissionError as error:
            return PortFacts(option, shown, "denied", why=str(error.strerror))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return PortFacts(option, shown, "absent", why=str(error.strerror))
    there = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    ours = is_ours(_connected(there, port, is_tls))
    return PortFacts(option, shown, "ours" if ours else "taken", holder_of(port))


def _unix(option: str, shown: str, path: str) -> PortFacts:
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        return PortFacts(option, shown, "absent", why=f"{directory} is not there")
    if not os.access(directory, os.W_OK | os.X_OK):
        return PortFacts(option, shown, "denied", why=f"{directory} cannot be written")
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except FileNotFoundError:
        return PortFacts(option, shown, "free")
    except OSError as error:
        return PortFacts(option, shown, "denied", why=str(error.strerror))
    if not is_socket:
        return PortFacts(option, shown, "absent", why="a file is there that is no socket")
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ASKED_FOR)
    try:
        connection.connect(path)
    except PermissionError as error:
        connection.close()
        return PortFacts(option, shown, "denied", why=str(error.strerror))
    except OSError:
        connection.close()
        return PortFacts(option, shown, "stale")
    return PortFacts(option, shown, "ours" if is_ours(connection) else "taken", holder_of_path(path))


def _connected(host: str, port: int, is_tls: bool) -> socket.socket | None:
    try:
        connection = socket.create_connection((host, port), ASKED_FOR)
        if not is_tls:
            return connection
        # Who it is does not matter: nothing secret is said.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(connection)
    except (OSError, ValueError):
        return None


def is_ours(connection: socket.socket | None) -> bool:
    """Whether a proxy answers on a connection, which is closed: C{/health} says C{ok}, and C{/live} C{alive}."""
    if connection is None:
        return False
    try:
        with connection:
            connection.settimeout(ASKED_FOR)
            connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while len(answer) < 4096 and (data := connection.recv(4096)):
                answer += data
    except OSError:
        return False
    return answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\nalive\n")


def holder_of(port: int, root: Path = Path("/proc")) -> str:
    """The program that listens at a port, C{"nginx (process 812)"}; C{""} if this user cannot see it."""
    return _program(set(_inodes(port, root)), root)


def holder_of_path(path: str, root: Path = Path("/proc")) -> str:
    """The program that has a Unix socket open."""
    return _program(set(_unix_inodes(os.path.abspath(path), path, root)), root)


def _inodes(port: int, root: Path) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        for line in _lines(root / "net" / name):
            words = line.split()
            if len(words) > 9 and words[3] == _LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                yield words[9]


def _unix_inodes(absolute: str, path: str, root: Path) -> Iterator[str]:
    for line in _lines(root / "net" / "unix"):
        words = line.split(maxsplit=7)
        if len(words) == 8 and words[7] in (absolute, path):
            yield words[6]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()[1:]
    except OSError:
        return []


def _program(inodes: set[str], root: Path) -> str:
    """Its name as the kernel has it: its arguments may hold secrets."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    if not wanted:
        return ""
    for process in sorted(root.glob("[0-9]*"), key=lambda each: int(each.name)):
        try:
            if any(os.readlink(fd) in wanted for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue
    return ""
