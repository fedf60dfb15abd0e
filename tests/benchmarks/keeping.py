"""
A proxy that keeps what passes through it and does nothing with it: what the memory alone costs.

L{tests.benchmarks.storing} starts it in the place of C{llmproxy}. Of a download with C{keep} in its target each piece
is kept where it is written to the client, until C{LLMPROXY_KEPT} further ones have begun.
"""

from __future__ import annotations

import os
from collections import deque

from llmproxy.cli import main as serve
from llmproxy.web.http1.request import ProxyRequest

VARIABLE = "LLMPROXY_KEPT"
PROGRAM = f"from {__name__} import main; main()"


def keep(downloads: int) -> None:
    """From now on so many downloads are kept."""
    kept: deque[tuple[ProxyRequest, list[bytes]]] = deque(maxlen=downloads)
    write = ProxyRequest.write

    def keeping(self: ProxyRequest, data: bytes) -> None:
        if b"keep" in self.uri:
            if not kept or kept[-1][0] is not self:
                kept.append((self, []))
            kept[-1][1].append(data)
        write(self, data)

    ProxyRequest.write = keeping  # type: ignore[method-assign]


def main() -> None:
    keep(int(os.environ[VARIABLE]))
    serve()
