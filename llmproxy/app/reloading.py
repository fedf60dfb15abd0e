"""A reload: the configuration is read again, checked whole, and what of it can change while the proxy runs is taken."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, fields, frozen, has
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from ..config.apis import APIConfig
from ..errors import ConfigError, Draining
from .settings import Settings

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..core.routing import RoutingTable

T = TypeVar("T")

TAKEN = ("default_api", "apis", "prices", "usage_limits", "tracing", "agents", "identity", "sinks", "tls")
"""What of the file a running proxy takes; everything else is made once, at the start."""

_OURS = ("apis", "inherited", "source")


@frozen
class Plan:
    """
    What a reload does.

    @ivar settings: those that hold from now on.
    @ivar changed: what is another than before, by the names of the file: C{apis.openai}, C{prices}.
    @ivar needs_restart: what is another in the file or the environment, and stays as it was until the next start.
    """

    settings: Settings
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.changed, self.needs_restart)


@frozen
class Outcome:
    """What a reload did; see L{Plan}."""

    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"changed: {', '.join(self.changed)}" if self.changed else "nothing of it has changed"
        late = ", ".join(self.needs_restart)
        return f"{what}; takes effect at the next start only: {late}" if late else what


def plan(before: Settings, after: Settings) -> Plan:
    """
    @param before: what holds now.
    @param after: what was read, which has been checked.
    """
    taken = {name: getattr(after.apis, name) for name in TAKEN}
    leases = before.apis.usage_limits.budget_leases
    late_leases = ("usage_limits.budget_leases",) if leases != after.apis.usage_limits.budget_leases else ()
    taken["usage_limits"] = evolve(after.apis.usage_limits, budget_leases=leases)
    # What these need is there, or is not, from the start.
    parts = ("agents", "identity", "sinks")
    late_parts = [name for name in parts if bool(getattr(before.apis, name)) != bool(getattr(after.apis, name))]
    taken |= {name: getattr(before.apis, name) for name in late_parts}
    apis = evolve(before.apis, **taken)
    fixed = [each.name for each in fields(APIConfig) if each.name not in TAKEN]
    own = [each.name for each in fields(Settings) if each.name not in _OURS]
    late = (*_all_different(fixed, before.apis, after.apis), *_all_different(own, before, after))
    return Plan(evolve(before, apis=apis), tuple(changes(before.apis, apis)), (*late, *late_leases, *late_parts))


def _all_different(names: Iterable[str], before: object, after: object) -> Iterator[str]:
    for name in names:
        yield from _different(name, getattr(before, name), getattr(after, name))


def changes(before: APIConfig, after: APIConfig) -> Iterator[str]:
    """What of a configuration that can change while the proxy runs is another, by the names of the file."""
    for name in [*before.apis, *(each for each in after.apis if each not in before.apis)]:
        if before.apis.get(name) != after.apis.get(name):
            word = "" if name in before.apis and name in after.apis else " (new)" if name in after.apis else " (gone)"
            yield f"apis.{name}{word}"
    for name in TAKEN:
        if name != "apis" and getattr(before, name) != getattr(after, name):
            yield name


def _different(name: str, before: Any, after: Any) -> Iterator[str]:
    """The names of what differs, of a setting that is made of several too: C{limits.connections}."""
    if before == after:
        return
    if before is None or type(before) is not type(after) or not has(type(before)):
        yield name
        return
    for each in fields(type(before)):
        if getattr(before, each.name) != getattr(after, each.name):
            yield f"{name}.{each.name}"


def _compiled(found: Plan) -> RoutingTable:
    """@raise ConfigError: it cannot be served."""
    settings = found.settings
    if "sinks" in found.changed:
        from .sinks import check_sinks

        check_sinks(settings.apis.sinks, {**os.environ, **settings.otel})
    if "tls" in found.changed:
        from .servedtls import check_certificates

        check_certificates(settings.listeners, settings.apis.tls)
    return settings.apis.routing_table()


def on_thread(reactor: Any, call: Callable[[], T]) -> Deferred[T]:
    """Call something that may block; at once where C{reactor} is only a clock."""
    pool = getattr(reactor, "getThreadPool", None)
    return maybeDeferred(call) if pool is None else deferToThreadPool(reactor, pool(), call)


def at_once(take: Callable[[Settings, RoutingTable], object]) -> Callable[[Settings, RoutingTable], None]:
    """The same, over when what is new is served: what runs on may run for an hour."""

    def taken(settings: Settings, table: RoutingTable) -> None:
        take(settings, table)

    return taken


class Reloading:
    """
    One reload at a time: who asks for one meanwhile waits for its own.

    Files are read, and the configuration compiled, on a thread.

    @param settings: gives those that hold now.
    @param take: takes the settings of a plan into use, with what they are compiled to; what it returns is waited for.
        It raises L{ConfigError}, and has changed nothing then.
    @ivar listeners: called with what a reload did.
    @ivar upgrade: has another program take over, where this is a process of its own, see
        L{llmproxy.workers.succession}; C{None} in an application.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Callable[[], Settings],
        take: Callable[[Settings, RoutingTable], object],
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._take = take
        self._lock = DeferredLock()
        self.upgrade: Callable[[], object] | None = None
        self.listeners: list[Callable[[Outcome], object]] = []

    @property
    def is_possible(self) -> bool:
        """Whether it is known where the configuration comes from."""
        return self._settings().source is not None

    def reload(self) -> Deferred[Outcome]:
        """
        @return: fails with L{ConfigError}, of everything that is wrong; nothing has changed then. Cancelling it changes
            nothing.
        """
        return self._lock.run(lambda: Deferred.fromCoroutine(self._reload()))

    async def _reload(self) -> Outcome:
        source = self._settings().source
        if source is None:
            raise ConfigError("the configuration was given by a program: there is no file to read again")
        found = plan(self._settings(), await on_thread(self._reactor, source.read))
        table = await on_thread(self._reactor, partial(_compiled, found))
        await maybeDeferred(self._take, found.settings, table)
        for listener in self.listeners:
            listener(found.outcome)
        return found.outcome

    def by_signal(self) -> Deferred[None]:
        """The same, where nobody waits for what comes of it: the log says it."""
        self._log.info("reload: the configuration is read again")
        return self.reload().addCallbacks(self._succeeded, self._failed)

    def _succeeded(self, outcome: Outcome) -> None:
        self._log.info("reload: {outcome}", outcome=outcome)

    def _failed(self, reason: Failure) -> None:
        if reason.check(Draining):
            self._log.info("reload: not while the proxy is shutting down")
            return
        if not reason.check(ConfigError):
            self._log.failure("reload: failed, everything stays as it was", reason)
            return
        self._log.error("reload: everything stays as it was: {problems}", problems=reason.value)
