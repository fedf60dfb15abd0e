"""The configuration of a dispatcher: options and variables of the reference, or the sinks of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import evolve, field, frozen

from ..core.redisoptions import RedisLocation, parse_redis_url
from ..errors import ConfigError
from .document import MAX_VALUES, Item, TooMuch, compose, read
from .environment import with_secrets
from .listen import private_endpoint_description
from .problems import Problems, unknown
from .readers import NOTED
from .schema import TOP_KEYS
from .sinks import SinkConfig
from .sinkschema import read_sinks
from .streamvariables import StreamSettings, event_bus, read_stream_environment
from .units import parse_duration, parse_flag

T = TypeVar("T")

SERVICES = ("file", "stdout", "lunary", "helicone", "langfuse")
"""What C{--service} may say; all other types of sinks, and more than one, are for a file."""

LISTEN = "127.0.0.1:9105"
FLUSH = 5.0
"""Seconds; the reference's."""

HELD = 1000
DELIVERIES = 5
BATCH = 100

SECRETS = ("REDIS_URL", "REDIS_PASSWORD", "LLM_PROXY_API_KEY", "LANGFUSE_SECRET_KEY")

_MEMORY = (
    "events in memory are those of the process that has them: a dispatcher, which is another process, gets none"
    " (LLM_PROXY_EVENT_BUS=redis-streams for both, or `sinks:` in the proxy's own file)"
)


@frozen
class DispatcherConfig:
    """
    @ivar sinks: where events go, at least one.
    @ivar stream: where they come from.
    @ivar location: the Redis of that.
    @ivar listen: a description of an endpoint for health and metrics; C{""} for none.
    @ivar must_listen: somebody said so, and the process ends if it cannot.
    @ivar held: events in memory at most, of each sink.
    @ivar deliveries: after so many of one that were not acknowledged it becomes a dead letter.
    @ivar service: what the reference calls it, for names and the log.
    @ivar warnings: sentences for the operator.
    """

    sinks: tuple[SinkConfig, ...]
    stream: StreamSettings
    location: RedisLocation
    listen: str = ""
    must_listen: bool = False
    held: int = HELD
    deliveries: int = DELIVERIES
    service: str = "file"
    warnings: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def group_of(self, sink: SinkConfig) -> str:
        """One sink has the group, several have one each: none of them waits for another."""
        return self.stream.group if len(self.sinks) == 1 else f"{self.stream.group}-{sink.name}"


def read_dispatcher(
    options: Mapping[str, Any], env: Mapping[str, str], read_secret: Callable[[str], str]
) -> DispatcherConfig:
    """
    @param options: by their names with underscores; those that are C{None} were not given.
    @raise ConfigError: with all that is wrong.
    """
    return _Reading(options, with_secrets(env, read_secret, *SECRETS)).config()


class _Reading:
    def __init__(self, options: Mapping[str, Any], env: Mapping[str, str]) -> None:
        self._options = options
        self._env = env
        self._problems = Problems()
        self._warnings: list[str] = []

    def config(self) -> DispatcherConfig:
        try:
            bus = "" if self._text("LLM_PROXY_EVENT_BUS") == "memory" else event_bus(self._env)
            if bus == "in-memory" or self._text("LLM_PROXY_EVENT_BUS") == "memory":
                self._problems.add("LLM_PROXY_EVENT_BUS", _MEMORY)
        except ValueError as error:
            self._problems.add("LLM_PROXY_EVENT_BUS", str(error))
        stream = self._stream()
        batch = self._checked("batch_size", "DISPATCHER_BATCH_SIZE", _count, BATCH)
        flush = self._checked("flush_interval", "", parse_duration, FLUSH)
        path = self._options.get("config")
        if path is None:
            service = self._given("service", "DISPATCHER_SERVICE") or "file"
            sinks = self._of_service(service, batch, flush)
        else:
            service = "config"
            stream, sinks = self._of_file(path, stream)
            self._only_without_file()
        if self._checked("detach", "DISPATCHER_DETACH", parse_flag, False):
            self._warnings.append("--detach does nothing, as in the reference: have systemd or a container run it")
        listen = self._listen()
        made = DispatcherConfig(
            sinks=sinks,
            stream=stream,
            location=self._location(stream),
            listen=listen,
            must_listen=bool(self._given("listen", "DISPATCHER_LISTEN")),
            held=self._checked("buffer", "DISPATCHER_BUFFER", _count, HELD),
            deliveries=self._checked("max_deliveries", "DISPATCHER_MAX_DELIVERIES", _count, DELIVERIES),
            service=service,
            warnings=tuple(self._warnings),
            secrets=tuple(filter(None, (stream.password, self._key()))),
        )
        self._problems.fail()
        return made

    # -- where events come from

    def _stream(self) -> StreamSettings:
        found, problems = read_stream_environment(self._env)
        for name, sentence in problems:
            self._problems.add(name, sentence)
        said = {name: self._options.get(name) for name in ("stream", "group", "consumer")}
        return evolve(found, **{name: value for name, value in said.items() if value})

    def _location(self, stream: StreamSettings) -> RedisLocation:
        try:
            return parse_redis_url(stream.url, stream.password)
        except ValueError as error:
            self._problems.add("REDIS_URL" if self._text("REDIS_URL") else "REDIS_ADDR", str(error))
            return RedisLocation()

    # -- where they go

    def _of_service(self, service: str, batch: int, flush: float) -> tuple[SinkConfig, ...]:
        settings: dict[str, Any] = {}
        when: dict[str, Any] = {"method": "POST"}
        endpoint = self._given("endpoint", "DISPATCHER_ENDPOINT")
        if service not in SERVICES:
            kinds = ", ".join(SERVICES)
            self._problems.add("--service", f"unknown plugin: {service[:40]} (there are {kinds}; others by --config)")
        elif service in ("file", "stdout"):
            settings, when = self._of_file_service(service, endpoint), {"method": "!=OPTIONS"}
        else:
            settings = self._of_vendor(service)
            if endpoint:
                settings["url"] = endpoint
        directory = self._options.get("directory")
        return (
            SinkConfig(
                service, service, when=when, batch=batch, flush_interval=flush, settings=settings, directory=directory
            ),
        )

    def _of_file_service(self, service: str, endpoint: str) -> dict[str, Any]:
        schema = self._options.get("schema") or "legacy-dispatcher"
        settings: dict[str, Any] = {"schema": schema}
        if schema == "legacy-dispatcher" and self._checked("", "LLM_PROXY_DISPATCHER_VERBOSE", _yes, False):
            settings["verbose"] = True
        if service == "stdout":
            return settings
        if not endpoint:
            sentence = "file plugin requires 'endpoint' configuration (file path): --endpoint, or DISPATCHER_ENDPOINT"
            self._problems.add("--endpoint", sentence)
        return settings | {"path": endpoint, "sync": True}

    def _of_vendor(self, service: str) -> dict[str, Any]:
        if service == "langfuse":
            return self._of_langfuse()
        key = self._key()
        if not key:
            self._problems.add("--api-key-file", f"{service} plugin requires an API key, or LLM_PROXY_API_KEY")
        schema = self._options.get("schema")
        return {"api_key": key} | ({"schema": schema} if schema else {})

    def _of_langfuse(self) -> dict[str, Any]:
        names = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
        public, secret = (self._text(name) for name in names)
        for name, value in zip(names, (public, secret), strict=True):
            if not value:
                self._problems.add(name, "is required by --service langfuse")
        host = self._text("LANGFUSE_HOST")
        return {"public_key": public, "secret_key": secret} | ({"url": host} if host else {})

    def _key(self) -> str:
        return str(self._options.get("api_key") or self._text("LLM_PROXY_API_KEY"))

    def _of_file(self, path: str, stream: StreamSettings) -> tuple[StreamSettings, tuple[SinkConfig, ...]]:
        """The sinks of a file, but for the bus that they are fed from."""
        problems = Problems(path)
        text = read(path, problems)
        root = None if text is None else compose(text, problems, self._env)
        try:
            sinks = [] if root is None else _sinks(root)
        except TooMuch:
            sinks = []
            problems.add("", f"has more than {MAX_VALUES} values, those of its aliases counted each time")
        problems.fail()
        buses = [each for each in sinks if each.type == "redis-streams"]
        if len(buses) == 1:
            bus = buses[0].settings
            said = {} if self._said_stream() else {"stream": bus.get("stream")}
            if not any(self._text(name) for name in ("REDIS_URL", "REDIS_ADDR")):
                stream = evolve(stream, url=bus.get("url") or stream.url, **{k: v for k, v in said.items() if v})
            elif _same_place(buses[0], stream):
                stream = evolve(stream, **{k: v for k, v in said.items() if v})
        fed = tuple(each for each in sinks if not _is_source(each, stream))
        directory = self._options.get("directory")
        if directory:
            fed = tuple(evolve(each, directory=each.directory or directory) for each in fed)
        if not fed:
            raise ConfigError(f"{path}: sinks: there is none but the stream that is read: where do events go?")
        return stream, fed

    def _said_stream(self) -> bool:
        return bool(self._options.get("stream") or self._text("REDIS_STREAM_KEY"))

    def _only_without_file(self) -> None:
        for name in ("service", "endpoint", "api_key", "batch_size", "flush_interval", "schema"):
            if self._options.get(name) is not None:
                option = f"--{name.replace('_', '-')}"
                self._problems.add(option, "is said of each sink in the file, and not beside --config")

    # -- what is given

    def _listen(self) -> str:
        text = self._given("listen", "DISPATCHER_LISTEN") or LISTEN
        if text in ("off", "none"):
            return ""
        try:
            return private_endpoint_description(text)
        except ValueError as error:
            self._problems.add("--listen", str(error))
            return ""

    def _text(self, name: str) -> str:
        return self._env.get(name, "").strip()

    def _given(self, option: str, variable: str) -> str:
        value = self._options.get(option)
        return str(value) if value is not None else self._text(variable)

    def _checked(self, option: str, variable: str, rule: Callable[[str], T], default: T) -> T:
        value = self._options.get(option) if option else None
        text = str(value) if value is not None else self._text(variable)
        try:
            return rule(text) if text else default
        except ValueError as error:
            self._problems.add(f"--{option.replace('_', '-')}" if value is not None else variable, str(error))
            return default


def _sinks(root: Item) -> list[SinkConfig]:
    """Those of a file that may be the proxy's own, with APIs and all."""
    top = root.mapping()
    for name, item in top.items():
        if name not in TOP_KEYS:
            item.problem(unknown(name, TOP_KEYS))
    if "sinks" not in top or top["sinks"].is_null:
        root.problem("sinks are missing: sinks: [{name: log, type: file, path: ./events.jsonl}]")
        return []
    found = read_sinks(top["sinks"])
    return [] if found is NOTED else list(found)


def _is_source(sink: SinkConfig, stream: StreamSettings) -> bool:
    """Whether a sink would write into the stream that is read: each event would come again, without end."""
    if sink.type != "redis-streams":
        return False
    if (sink.settings.get("stream") or StreamSettings().stream) != stream.stream:
        return False
    return _same_place(sink, stream)


def _same_place(sink: SinkConfig, stream: StreamSettings) -> bool:
    """Whether a sink writes to the Redis that is read."""
    try:
        one, other = parse_redis_url(str(sink.settings.get("url") or stream.url)), parse_redis_url(stream.url)
    except ValueError:
        return False
    return one.label == other.label


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:8]) <= 1_000_000:
        raise ValueError(f"expected a number from 1 to 1000000, got {text[:40]!r}")
    return int(text)


def _yes(text: str) -> bool:
    """The reference's: C{1}, C{true} and C{yes}."""
    return text.lower() == "yes" or parse_flag(text)
