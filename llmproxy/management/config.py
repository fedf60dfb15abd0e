"""Rules of the configuration: how it is seen, and reading it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from ..errors import ConfigError, Conflict, Unprocessable

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


class Reloaded(Protocol):
    """What a reload did; see L{llmproxy.app.reloading.Outcome}."""

    @property
    def changed(self) -> tuple[str, ...]: ...

    @property
    def needs_restart(self) -> tuple[str, ...]: ...


@frozen
class ShownConfig:
    """
    @ivar file: that of the APIs; C{None} where a program has given the configuration.
    @ivar configuration: what the file says, with defaults, and no secret.
    @ivar settings: everything else, likewise.
    @ivar origins: where each of those comes from that is not the default.
    """

    file: str | None
    configuration: Mapping[str, Any]
    settings: Mapping[str, Any]
    origins: Mapping[str, str]


class ConfigRules:
    """
    @param show: gives the configuration as it holds now.
    @param reload: reads it again in all processes, or in none. It fails with L{ConfigError}.
    @param upgrade: has another program take over; whether there is one that can.
    @param check: says what is wrong with a text, see L{llmproxy.config.pasted.check_pasted}.
    """

    def __init__(
        self,
        show: Callable[[], ShownConfig],
        reload: Callable[[], Deferred[Reloaded]],
        upgrade: Callable[[], bool] = lambda: False,
        check: Callable[[str], tuple[str, ...]] = lambda text: (),
    ) -> None:
        self.show = show
        self.check = check
        self._reload = reload
        self._upgrade = upgrade

    def upgrade(self) -> None:
        """
        Have the program that is on the disk now take over.

        @raise Conflict: an application has made the proxy.
        """
        if not self._upgrade():
            raise Conflict("the application has to replace itself", message="an application has made this proxy")

    async def reload(self) -> Reloaded:
        """
        @raise Conflict: a program has given the configuration.
        @raise Unprocessable: something of it is wrong; everything stays as it was.
        """
        if self.show().file is None:
            raise Conflict("a program has given it, and has to give another", message="the configuration has no file")
        try:
            return await self._reload()
        except ConfigError as error:
            words = "; ".join(error.problems)
            raise Unprocessable(words, message="the configuration stays as it was") from None
