"""The upstream of the run, as a process of its own: C{python -m tests.gaprun.upstream}."""

from __future__ import annotations

import asyncio
import sys

CHUNK = b'data: {"n": 1}\n\n'
EVERY = 0.1
"""Seconds between two events of a stream."""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """C{/v1/stream/50} is a stream of 50 events, everything else a short answer."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            if "/stream/" in path:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
                writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
                for _ in range(int(path.rpartition("/")[2])):
                    writer.write(b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK))
                    await writer.drain()
                    await asyncio.sleep(EVERY)
                writer.write(b"0\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Say the port, and serve until the standard input closes."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
