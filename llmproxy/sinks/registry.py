"""
The types of sinks by name, and what a type is made with.

A type is a callable C{(settings, tools) -> IEventSink}: a function or a class. The proxy's own are named here by module
and name, and imported where a configuration has one. Others are entry points of the group C{llmproxy.sinks}::

    [options.entry_points]
    llmproxy.sinks =
        mine = my_package.my_module:MySink

The constructor checks its settings (L{llmproxy.sinks.sinksettings.SinkSettings} reads them one by one), opens nothing,
and raises L{ConfigError} with all that is wrong. It is also called to check a configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

from ..errors import ConfigError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..apisettings import ConnectionSettings
    from ..core.masking import Masking
    from ..interfaces.events import IEventSink

GROUP = "llmproxy.sinks"

TYPES: dict[str, str] = {
    "file": "llmproxy.sinks.eventfilesink:EventFileSink",
    "stdout": "llmproxy.sinks.stdoutsink:StdoutSink",
    "http": "llmproxy.sinks.webhook:Webhook",
    "lunary": "llmproxy.sinks.lunary:Lunary",
    "helicone": "llmproxy.sinks.helicone:Helicone",
    "langfuse": "llmproxy.sinks.langfuse:Langfuse",
    "redis-streams": "llmproxy.sinks.redisstreams:RedisStreams",
    "otlp": "llmproxy.sinks.otlp:Otlp",
}
"""The proxy's own: where each is."""


class HTTPAgent(Protocol):
    """What asks a receiver: treq's interface."""

    def request(self, method: str, url: str, **keywords: Any) -> Deferred[Any]:
        """See L{treq.client.HTTPClient.request}; C{headers} and C{data} are used."""


class OwnAgent(HTTPAgent, Protocol):
    """One that a sink has for itself."""

    def close(self) -> Deferred[None] | None:
        """Close its connections; C{None} where it never had one."""


class RunInThread(Protocol):
    """What calls a function that waits, off the reactor."""

    def __call__(self, call: Callable[..., Any], *arguments: Any) -> Deferred[Any]: ...


@frozen(eq=False)
class SinkTools:
    """
    What a sink works with.

    @ivar name: the sink's, as its configuration has it.
    @ivar reactor: with its clock; what a sink starts it stops in C{close}.
    @ivar agent: the proxy's own pool, made when somebody first asks something; see L{HTTPAgent}.
    @ivar run_in_thread: calls a function that waits, of one sink one at a time and in their order.
    @ivar directory: where a sink may keep files of its own, C{""} for nowhere; it need not be there.
    @ivar masking: knows the secrets of this process; a sink has it learn its own.
    @ivar poller: holds connections, and C{names} the addresses of hosts; C{None} for the reactor's.
    @ivar agent_for: makes a client of a sink's own, for other authorities or with a certificate; the sink closes it.
    @ivar environment: variables of the process, for the sinks that are known by them.
    """

    name: str
    reactor: Any
    agent: HTTPAgent
    run_in_thread: RunInThread
    directory: str = ""
    masking: Masking | None = None
    poller: Any = None
    names: Any = None
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    agent_for: Callable[[ConnectionSettings], OwnAgent] | None = None


SinkType = Callable[[Mapping[str, Any], SinkTools], "IEventSink"]


def sink_type(name: str) -> SinkType:
    """
    @raise ConfigError: there is none of that name, or it cannot be imported.
    """
    where = TYPES.get(name)
    try:
        if where is not None:
            module, _, attribute = where.partition(":")
            found: SinkType = getattr(import_module(module), attribute)
            return found
        for point in _others():
            if point.name == name:
                loaded: SinkType = point.load()
                return loaded
    except ImportError as error:
        raise ConfigError(f"type: {name} cannot be used here: {error}") from None
    raise ConfigError(f"type: there is no sink of type {name[:40]!r}; there are {', '.join(type_names())}")


def type_names() -> list[str]:
    """All that are installed."""
    return [*TYPES, *sorted({point.name for point in _others()} - TYPES.keys())]


def _others() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)
