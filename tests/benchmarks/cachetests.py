"""
The public HTTP cache tests (https://cache-tests.fyi), with a token on every request.

    $ npm install --prefix DIRECTORY http-cache-tests@0.4.5
    $ python -m tests.benchmarks.cachetests DIRECTORY

prints how many of the required and of the optional tests pass, and each that does not. They take two minutes. Node
serves the upstream and is the client; the proxy between them has its defaults, but for no circuit breaker.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.internet.utils import getProcessOutputAndValue

from llmproxy.config import APIConfig, APIProviderConfig, BreakerConfig
from llmproxy.core.tokens import generate, hint, token_hash
from llmproxy.message import Project, Token
from llmproxy.service import Settings, make_service

EXCUSED = {
    "other-authorization": "the proxy puts the provider's key in the place of the client's Authorization",
    "age-parse-": "RFC 9111 section 5.1 says since 2022 that an Age which is no number is ignored",
    "stale-close-": "an error answer of the proxy's own counts as cached; tests.core.caching.test_reuse has them",
    "surrogate-append-capabilities": "of the Surrogate-Capability that RFC 9213 has not",
}
"""Tests that this version of the suite lets nobody pass who is a proxy with keys of its own, and obeys RFC 9111."""

CLIENT = Path(__file__).with_suffix(".mjs")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def serve(package: Path, port: int) -> subprocess.Popen[bytes]:
    """The upstream of the tests, once it listens."""
    environment = {
        **os.environ,
        "npm_config_protocol": "http",
        "npm_config_port": str(port),
        "npm_config_pidfile": os.devnull,
    }
    server = subprocess.Popen(
        ["node", "server/server.mjs"],
        cwd=package,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    for _ in range(100):
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.05)
    server.kill()
    raise SystemExit("the server of the tests does not listen")


async def proxied(port: int) -> tuple[Any, str, str]:
    """A proxy before C{port}: the service, its address and a token."""
    api = APIProviderConfig(
        base_url=f"http://localhost:{port}",
        allowed_endpoints=["/test", "/config", "/state"],
        allowed_methods=[],
        breaker=BreakerConfig(enabled=False),
        rewrite_locations=False,
    )
    options = Settings(
        apis=APIConfig({"api": api}, "api"),
        management_token=generate(os.urandom),
        encryption_key=bytes(32),
        database_url=":memory:",
        listen=["tcp:0:interface=127.0.0.1"],
        drain_seconds=0.1,
    )
    service = make_service(reactor, options)
    service.startService()
    await service.started
    secret = generate(os.urandom)
    await service.proxy.database.projects.create(Project("p", "p", {"api": ("sk-key",)}))
    await service.proxy.database.tokens.create(Token("t", token_hash(secret.encode()), hint(secret), "p", None))
    return service, f"http://127.0.0.1:{service.ports[0].getHost().port}", secret  # type: ignore[attr-defined]


async def run(directory: str, only: str = "") -> None:
    package = Path(directory).resolve() / "node_modules" / "http-cache-tests"
    port = free_port()
    server = serve(package, port)
    try:
        service, base, secret = await proxied(port)
        arguments = ["--no-warnings", str(CLIENT), str(package), base, secret, *([only] if only else [])]
        out, err, code = await getProcessOutputAndValue("node", arguments, os.environ)
        await service.stopService()
    finally:
        server.kill()
        server.wait()
    if code:
        raise SystemExit(err.decode() or out.decode())
    *said, results = out.decode().splitlines()
    print("\n".join(said))
    report(json.loads(results))


def report(results: dict[str, Any]) -> None:
    passed, whole, excused = Counter[str](), Counter[str](), Counter[str]()
    for name, (kind, suite, _, result) in sorted(results.items(), key=lambda item: (item[1][0], item[1][1])):
        whole[kind] += 1
        passed[kind] += result is True
        if result is True:
            continue
        why = next((reason for start, reason in EXCUSED.items() if name.startswith(start)), None)
        excused[kind] += why is not None
        print(f"{kind} {suite} {name}: {result[1]}" + (f" [excused: {why}]" if why else ""))
    kinds = ("required", "optimal", "check")
    print("passed:", ", ".join(f"{passed[kind]} of {whole[kind]} {kind}" for kind in kinds))
    print(
        "without the excused:", ", ".join(f"{passed[kind]} of {whole[kind] - excused[kind]} {kind}" for kind in kinds)
    )


if __name__ == "__main__":
    react(lambda _: Deferred.fromCoroutine(run(*sys.argv[1:])))
