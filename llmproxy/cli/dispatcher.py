"""C{llmproxy dispatcher}: events from Redis Streams to files and services."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from ..errors import ConfigError


@click.command()
@click.option(
    "--service",
    metavar="NAME",
    help="Where events go: file, stdout, lunary, helicone or langfuse. [DISPATCHER_SERVICE, else file]",
)
@click.option("--endpoint", metavar="WHERE", help="The path of a file, or the URL of a service. [DISPATCHER_ENDPOINT]")
@click.option("--api-key", metavar="KEY", help="The key of the service; better by the variable. [LLM_PROXY_API_KEY]")
@click.option("--api-key-file", metavar="FILE", help="A file that holds the key; - is standard input.")
@click.option(
    "--schema",
    type=click.Choice(["1", "legacy", "legacy-log", "legacy-dispatcher"]),
    help="What is written: for a file, legacy-dispatcher (the reference's) unless said; 1 is ours.",
)
@click.option("--config", "-c", metavar="FILE", help="A YAML file with `sinks:`, in the place of all of the above.")
@click.option("--buffer", metavar="N", help="Events in memory at most, of each sink. [DISPATCHER_BUFFER, else 1000]")
@click.option("--batch-size", metavar="N", help="Events in one delivery. [DISPATCHER_BATCH_SIZE, else 100]")
@click.option("--flush-interval", metavar="TIME", help="How long an event waits for others; else 5s.")
@click.option("--stream", metavar="NAME", help="The stream that is read. [REDIS_STREAM_KEY, else llm-proxy-events]")
@click.option(
    "--group",
    metavar="NAME",
    help="Several of one group share the work. [REDIS_CONSUMER_GROUP, else llm-proxy-dispatchers]",
)
@click.option("--consumer", metavar="NAME", help="Its name in the group, which no other has. [REDIS_CONSUMER_NAME]")
@click.option(
    "--max-deliveries",
    metavar="N",
    help="Deliveries in vain until an event becomes a dead letter. [DISPATCHER_MAX_DELIVERIES, else 5]",
)
@click.option("--directory", metavar="DIR", help="Where dead letters are, SINK.dead.jsonl; else ./data/sinks.")
@click.option(
    "--listen",
    metavar="ADDRESS",
    help="Where /health, /ready and /metrics are; off for nowhere. [DISPATCHER_LISTEN, else 127.0.0.1:9105]",
)
@click.option("--env", metavar="FILE", help="A file of variables; those that are set already stay as they are.")
@click.option("--detach", is_flag=True, default=None, help="Does nothing, as in the reference. [DISPATCHER_DETACH]")
def command(**options: Any) -> None:
    """Deliver events from Redis Streams to a file or a service, or to the sinks of a YAML file.

    The proxy publishes them with LLM_PROXY_EVENT_BUS=redis-streams, or by a sink of the type redis-streams. Redis is
    where REDIS_URL says, or REDIS_ADDR, REDIS_DB and REDIS_PASSWORD. An event is acknowledged when its sink has it;
    what a dead dispatcher had comes to another one of its group after REDIS_STREAM_CLAIM_TIME. Several groups get all.
    SIGTERM delivers what was read, and gives back what could not be.

    With --config each of several sinks has a group of its own, GROUP-NAME, so that none waits for another. A sink of
    the type redis-streams in the file is where events come from.

    Variables without an option: REDIS_STREAM_BLOCK_TIME (5s), REDIS_STREAM_CLAIM_TIME (30s) and REDIS_STREAM_BATCH_SIZE
    (100); LLM_PROXY_DISPATCHER_VERBOSE, for header fields of answers in the reference's lines; LANGFUSE_PUBLIC_KEY,
    LANGFUSE_SECRET_KEY and LANGFUSE_HOST; LOG_LEVEL and LOG_FORMAT. Those that hold secrets may stand in files, which
    <NAME>_FILE names.

    \b
    Examples:
      llmproxy dispatcher --service file --endpoint ./events.jsonl
      LLM_PROXY_API_KEY=... llmproxy dispatcher --service lunary
      llmproxy dispatcher --config dispatcher.yaml --listen 127.0.0.1:9200
    """
    from twisted.internet import reactor

    from ..app.dispatcher import Dispatcher
    from ..config.dispatcher import read_dispatcher
    from ..core.masking import Masking
    from .reactor import log_to_stderr, run_service

    masking = Masking()
    try:
        env = _environment(options.pop("env"))
        options["api_key"] = _key(options.pop("api_key"), options.pop("api_key_file"))
        config = read_dispatcher(options, env, _read)
        level = _level(env)
        service = Dispatcher(reactor, config, masking, env)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    log_to_stderr(level, "json" if _text(env, "LOG_FORMAT").lower() not in ("console", "text") else "text", masking)
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    sys.exit(run_service(reactor, service))


def _environment(path: str | None) -> Mapping[str, str]:
    from ..config.dotenv import with_dotenv

    return with_dotenv(os.environ, path)


def _key(value: str | None, path: str | None) -> str | None:
    """The key of the options; a visible one is warned of, the variable is read elsewhere."""
    from .secretinput import secret_of_options

    if value is None and path is None:
        return None
    return secret_of_options(value, path, "LLM_PROXY_API_KEY", "api-key", "The key of the service")


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _text(env: Mapping[str, str], name: str) -> str:
    return env.get(name, "").strip()


def _level(env: Mapping[str, str]) -> str:
    from ..sinks.accesslog import LEVELS

    level = _text(env, "LOG_LEVEL").lower() or "info"
    level = {"warning": "warn"}.get(level, level)
    if level not in LEVELS:
        raise ConfigError(f"LOG_LEVEL: expected one of {', '.join(LEVELS)}, got {level[:40]!r}")
    return level
