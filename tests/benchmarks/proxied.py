"""A proxy in a process of its own, for measuring it from outside: the one that C{llmproxy benchmark} starts."""

from __future__ import annotations

import socket

from llmproxy.bench.proxied import Running, running_proxy

__all__ = ["Running", "free_port", "running_proxy"]


def free_port() -> int:
    """For servers that must be told theirs."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port
