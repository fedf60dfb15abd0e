"""The small request that targets are compared with, and the load of it."""

from __future__ import annotations

from llmproxy.bench.values import LoadSpec, Target

from .proxied import Running

PATH = "/v1/chat/completions"
BODY = b'{"model":"demo","messages":[{"role":"user","content":"Hello there"}]}'


def spec(target: Target, connections: int, seconds: float) -> LoadSpec:
    return LoadSpec(
        mode="closed",
        host=target.host,
        port=target.port,
        request=target.request(BODY).decode("latin-1"),
        connections=connections,
        warmup=0.5,
        duration=seconds,
        pids=target.pids,
    )


def through(name: str, proxy: Running) -> Target:
    fields = (("Authorization", f"Bearer {proxy.token}"),)
    return Target(name, f"http://127.0.0.1:{proxy.port}{PATH}", fields, (proxy.pid,))
