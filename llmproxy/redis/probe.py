"""A look at a Redis before anything is served, for a command that may wait: whether it answers, and what it evicts."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

from .commands import command
from .eviction import INFO, policy_of, warning_of

if TYPE_CHECKING:
    from ..core.redisoptions import RedisLocation, RedisOptions

MOST = 1024 * 1024
"""Bytes of all its answers."""


def examine(options: RedisOptions) -> str:
    """
    What is wrong with it, in a sentence without credentials; C{""} if nothing is.

    Blocks, for a few times C{options.timeout} at most.
    """
    location = options.location
    try:
        with connected(location, options.timeout) as connection:
            return _said(connection, location)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"{location.label}: cannot be reached: {why}"


def connected(location: RedisLocation, timeout: float) -> socket.socket:
    """
    A connection that blocks.

    @param timeout: seconds, for connecting and for each answer.
    @raise OSError: there is none.
    """
    if location.path:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(location.path)
        return connection
    plain = socket.create_connection((location.host, location.port), timeout)
    if not location.tls:
        return plain
    return ssl.create_default_context(cafile=location.ca_file).wrap_socket(plain, server_hostname=location.host)


def _said(connection: socket.socket, location: RedisLocation) -> str:
    import hiredis

    commands = [*greetings(location), INFO]
    reader: Any = hiredis.Reader()
    for each in commands:
        connection.sendall(each)
        reply = reply_of(connection, reader)
        if isinstance(reply, Exception) and each is not INFO:
            return f"{location.label}: refuses: {str(reply)[:100]}"
        if isinstance(reply, Exception) and str(reply).startswith(("NOAUTH", "WRONGPASS")):
            return f"{location.label}: refuses: {str(reply)[:100]}"
    return warning_of(policy_of(reply), location.label)


def greetings(location: RedisLocation) -> list[bytes]:
    """The commands that a new connection begins with."""
    commands = []
    if location.password is not None:
        login = [word.encode() for word in (location.username, location.password) if word is not None]
        commands.append(command(b"AUTH", *login))
    if location.database:
        commands.append(command(b"SELECT", b"%d" % location.database))
    return commands


def reply_of(connection: socket.socket, reader: Any) -> Any:
    """
    The next answer; what Redis refuses is an exception that is returned.

    @param reader: a C{hiredis.Reader}.
    @raise ValueError: what comes is not Redis' protocol.
    """
    read = 0
    reply = reader.gets()
    while reply is False:
        data = connection.recv(65536)
        read += len(data)
        if not data or read > MOST:
            raise ValueError("what answers there is not Redis")
        try:
            reader.feed(data)
            reply = reader.gets()
        except Exception:
            raise ValueError("what answers there is not Redis") from None
    return reply
