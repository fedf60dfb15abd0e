"""
Tests of embeddings in memory, without threads, sockets or a reactor: a proxy whose client and upstream the test holds.

Public; C{docs/embedding.md} shows how it is used.
"""

from __future__ import annotations

from .answer import MemoryAnswer
from .proxy import PROJECT, SECRET, MemoryProxy
from .stores import MemoryProjects, MemoryTokens
from .upstream import HeldUpstream, UpstreamCall

__all__ = [
    "PROJECT",
    "SECRET",
    "HeldUpstream",
    "MemoryAnswer",
    "MemoryProjects",
    "MemoryProxy",
    "MemoryTokens",
    "UpstreamCall",
]
