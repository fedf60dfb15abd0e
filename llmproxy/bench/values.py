"""Questions to a load process, and its results: plain values that travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import asdict, define, evolve, field, frozen

from .histogram import Histogram

Mode = Literal["closed", "counted", "open", "sse"]

Fields = tuple[tuple[str, str], ...]


def without_query(url: str) -> str:
    """A URL to show: its query may hold a key."""
    return url.partition("?")[0]


@frozen
class Target:
    """
    Something to measure.

    @ivar fields: header fields sent besides C{Host}, C{User-Agent}, C{Content-Type} and C{Content-Length}; may hold a
        token.
    @ivar pids: its processes, whose time and memory are counted, children included; may be empty.
    """

    name: str
    url: str = field(repr=without_query)
    fields: Fields = field(default=(), repr=False)
    pids: tuple[int, ...] = ()
    method: str = "POST"

    @property
    def shown(self) -> str:
        """For reports and errors."""
        return without_query(self.url)

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme == "https"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (443 if self.tls else 80)

    def at(self, query: str) -> Target:
        """The same with one more query component."""
        return evolve(self, url=f"{self.url}{'&' if urlsplit(self.url).query else '?'}{query}")

    def request(self, body: bytes) -> bytes:
        """The bytes of one request, as every connection sends them again and again."""
        parts = urlsplit(self.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{self.method} {path} HTTP/1.1", f"Host: {parts.netloc}", "User-Agent: llmproxy-benchmark"]
        if body or self.method == "POST":
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@frozen
class LoadSpec:
    """
    One run of one load process; times in seconds.

    @ivar request: the bytes to send, read as Latin-1. They may hold a token.
    @ivar requests: of a counted loop, which asks no more of them; its C{duration} is the longest it may take.
    @ivar cache: count the answers that come from a cache.
    @ivar rate: requests a second of an open loop.
    @ivar phase: how long after the common start the first of them is due, so that processes interleave.
    @ivar ramp: in how long the streams are opened; a part of the C{warmup}.
    @ivar events: what each stream must bring; 0 takes any number, and asks again when a stream has ended.
    @ivar length: of the content of a right answer; C{None} takes any.
    @ivar body: that content, read as Latin-1, if it is to be compared too.
    @ivar pids: whose processor time and memory to read as the measured window begins and ends.
    """

    mode: Mode
    host: str
    port: int
    request: str = field(repr=False)
    tls: bool = False
    connections: int = 64
    requests: int = 0
    cache: bool = False
    rate: float = 0.0
    phase: float = 0.0
    ramp: float = 1.0
    events: int = 0
    warmup: float = 1.0
    duration: float = 10.0
    timeout: float = 30.0
    length: int | None = None
    body: str | None = None
    pids: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LoadSpec:
        """@raise TypeError: a key is unknown or missing."""
        return cls(**{**value, "pids": tuple(value.get("pids", ()))})


@define
class Result:
    """
    What one run, or several processes together, counted in the measured window.

    @ivar latency: nanoseconds from the send to the end of the response; in an open loop from the moment
        at which the request was due. Of streams: from the send to the first event.
    @ivar late: of an open loop, nanoseconds by which this tool itself sent too late while a connection was free.
    @ivar delay: of streams, nanoseconds from the upstream's stamp in an event to its arrival.
    @ivar errors: how many of each kind.
    @ivar unfinished: requests of an open loop that were due and not answered in the end. They are in
        C{latency} with the time they had waited by then, which is less than the truth.
    @ivar reconnects: connections that the server closed between two requests.
    @ivar cpu: seconds of processor time that the watched processes used.
    @ivar tool_cpu: the same of the busiest load process; close to C{seconds}, it was the limit.
    @ivar memory: bytes of the watched processes: before, at its highest, and after.
    @ivar hits: answers that came from a cache.
    @ivar held: the most streams open at once.
    @ivar events: of streams, those that came in the measured window.
    @ivar lost: events of streams that did not come.
    """

    latency: Histogram = field(factory=Histogram)
    late: Histogram = field(factory=Histogram)
    delay: Histogram = field(factory=Histogram)
    errors: dict[str, int] = field(factory=dict)
    unfinished: int = 0
    reconnects: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    tool_cpu: float = 0.0
    memory: tuple[int, int, int] = (0, 0, 0)
    hits: int = 0
    held: int = 0
    events: int = 0
    lost: int = 0

    @property
    def completed(self) -> int:
        """Right answers; for streams those that brought a first event."""
        return self.latency.count - self.unfinished

    @property
    def per_second(self) -> float:
        return self.completed / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    def fail(self, kind: str) -> None:
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def add(self, other: Result) -> None:
        """Take in what another process counted in the same window."""
        for mine, theirs in ((self.latency, other.latency), (self.late, other.late), (self.delay, other.delay)):
            mine.add(theirs)
        for kind, count in other.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        for name in ("unfinished", "reconnects", "hits", "held", "events", "lost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.seconds = max(self.seconds, other.seconds)
        self.cpu = max(self.cpu, other.cpu)
        self.tool_cpu = max(self.tool_cpu, other.tool_cpu)
        before, highest, after = zip(self.memory, other.memory, strict=True)
        self.memory = (max(before), max(highest), max(after))

    def to_json(self) -> dict[str, Any]:
        value = asdict(self, recurse=False)
        return {name: item.to_json() if isinstance(item, Histogram) else item for name, item in value.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Result:
        """@raise KeyError, TypeError, ValueError: not what L{to_json} wrote."""
        histograms = {name: Histogram.from_json(value[name]) for name in ("latency", "late", "delay")}
        return cls(**{**value, **histograms, "memory": tuple(value["memory"])})
