"""A proxy in a process of its own, for measuring it from outside: the one that C{llmproxy benchmark} starts."""

from __future__ import annotations

from llmproxy.bench.proxied import Running, free_port, running_proxy

__all__ = ["Running", "free_port", "running_proxy"]
