"""Options of C{llmproxy benchmark}, as settings, a plan and targets."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import click

from ..bench.asking import address, chat, streamed, token_of, with_token
from ..bench.comparison import Settings
from ..bench.proc import allow_descriptors
from ..bench.processes import fast_upstream
from ..bench.proxied import running_proxy
from ..bench.session import KINDS, Plan
from ..bench.values import Fields, Target

LASTING: dict[str, Any] = {"duration": 5.0, "warmup": 0.5, "rounds": 5, "streams": 2000}
QUICK: dict[str, Any] = {"duration": 2.0, "warmup": 0.2, "rounds": 2, "streams": 200}
QUICK_SEARCH: dict[str, Any] = {"trials": 6, "trial_seconds": 0.6}

FIRST_EVENTS = 10_000.0
"""A search from 2,000 would take long with a proxy that is known to carry more."""

BODY_LIMIT = 1 << 24
"""Bytes of a request: each load process holds it in memory, and JSON carries it there."""

SPARE_DESCRIPTORS = 200

Options = Mapping[str, Any]


def settings_of(options: Options) -> Settings:
    """@raise ClickException: a body that cannot be used; fewer descriptors than streams."""
    common = QUICK if options["quick"] else LASTING
    chosen = {name: value if options[name] is None else options[name] for name, value in common.items()}
    if not _streams_are_wanted(options):
        chosen["streams"] = 1
    _allow(max(chosen["streams"], options["connections"]))
    payload = _payload(options)
    stream_payload = streamed(payload)
    if stream_payload is None and _streams_are_wanted(options):
        raise click.UsageError("--run streams needs a POST with a JSON object as its body")
    return Settings(
        payload=payload,
        stream_payload=stream_payload or payload,
        requests=options["requests"] or 0,
        first_events=FIRST_EVENTS if options["url"] is None else 2000.0,
        **chosen,
        **(QUICK_SEARCH if options["quick"] else {}),
        **{name: options[name] for name in ("connections", "processes", "timeout", "cache")},
    )


def plan_of(options: Options) -> Plan:
    return Plan(_kinds(options), options["rate"] or 0.0, options["events"] or 0.0, options["bounds"])


def _kinds(options: Options) -> tuple[str, ...]:
    if options["requests"]:
        return ("closed",)
    without_streams = [kind for kind in KINDS if kind != "streams" or options["method"] == "POST"]
    return options["kinds"] or tuple(without_streams)


def _streams_are_wanted(options: Options) -> bool:
    return "streams" in _kinds(options)


def _payload(options: Options) -> bytes:
    if options["body"] is None:
        return chat(options["model"]) if options["method"] == "POST" else b""
    with open(options["body"], "rb") as file:
        body = file.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise click.UsageError(f"--body: more than {BODY_LIMIT >> 20} MiB")
    return body


def _allow(connections: int) -> None:
    """A proxy that is started here needs two descriptors for each stream, and has our limit."""
    allow_descriptors()
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * connections + SPARE_DESCRIPTORS
    if needed > limit:
        raise click.UsageError(f"{connections} at once need {needed} descriptors; {limit} are allowed (ulimit -Hn)")


def targets_of(running: ExitStack, options: Options) -> list[Target]:
    """
    What stands beside the gateway, and the gateway.

    @param running: takes care of what is started for it.
    @raise LoadFailed: it does not start.
    """
    if options["url"] is None:
        return _ours(running, options)
    token = options.get("token") or token_said(options["token_env"], options["token_file"], "PROXY_TOKEN")
    gateway = _target("gateway", options["url"], _fields(options, token), options)
    if options["direct"] is not None:
        direct_token = token_said(options["direct_token_env"], options["direct_token_file"], None)
        return [_target("direct", options["direct"], _fields(options, direct_token), options), gateway]
    port, _ = running.enter_context(fast_upstream(options["upstream_port"] or 0))
    return [_target("direct", f"http://127.0.0.1:{port}", _fields(options, None), options), gateway]


def _ours(running: ExitStack, options: Options) -> list[Target]:
    upstream, _ = running.enter_context(fast_upstream())
    proxy = running.enter_context(running_proxy(upstream, options["workers"] or 1))
    own = {"method": options["method"], "path": options["path"]}
    direct = _target("direct", f"http://127.0.0.1:{upstream}", _fields(options, None), own)
    proxied = {**own, "pids": (proxy.pid,)}
    return [direct, _target("llmproxy", f"http://127.0.0.1:{proxy.port}", _fields(options, proxy.token), proxied)]


def _target(name: str, url: str, fields: Fields, options: Options) -> Target:
    pids = options.get("pids", ()) if name != "direct" else ()
    return Target(name, address(url, options["path"]), fields, tuple(pids), options["method"])


def _fields(options: Options, token: str | None) -> Fields:
    asked = list(options["header"])
    if options["cache"]:
        asked.append(("Cache-Control", f"public, max-age={options['cache_ttl']}"))
    return with_token(asked, token)


def token_said(variable: str | None, path: str | None, usual: str | None) -> str | None:
    """
    From a file or a variable, as arguments can be seen by others; C{None} if there is none.

    @param usual: the variable that need not be set.
    @raise UsageError: one that was named holds none.
    """
    try:
        if path is not None:
            with open(path, encoding="utf-8") as file:
                return token_of(file.read(65536))
        if variable is not None:
            return token_of(os.environ.get(variable, ""))
        return token_of(os.environ[usual]) if usual is not None and os.environ.get(usual) else None
    except (ValueError, OSError) as error:
        raise click.UsageError(f"{path or variable or usual}: {error}") from None


def notes(options: Options) -> list[str]:
    """What the reader of the figures must know of how they were asked for."""
    if options["url"] is None or options["direct"] is not None or options["upstream_port"] is not None:
        return []
    return [
        "Without --direct or --upstream-port, what stands beside the gateway is an upstream of our own, not the one "
        "behind it: what is added includes the time of that one and of the way there."
    ]
