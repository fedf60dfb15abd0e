"""Operations on the configuration."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred, maybeDeferred

from ...errors import Conflict, Unprocessable
from ..operations import Call, Operation, Routes

if TYPE_CHECKING:
    from ...management.config import ConfigRules


class SettingView(Struct):
    value: Any
    origin: Annotated[str, Meta(description="The option or the variable that it comes from, or default.")]


class ConfigView(Struct):
    """The configuration as it holds now, secrets masked."""

    file: Annotated[str | None, Meta(description="null where a program has given it: it cannot be reloaded then.")]
    configuration: Annotated[dict[str, Any], Meta(description="What the file says, with all defaults.")]
    settings: dict[str, SettingView]


class ReloadedView(Struct):
    """What a reload did."""

    changed: Annotated[list[str], Meta(description="What is another than before, by the names of the file.")]
    needs_restart: Annotated[list[str], Meta(description="What has changed and takes effect at the next start only.")]


class UpgradeView(Struct):
    process: Annotated[int, Meta(description="The id of the process that has answered, which drains if all goes well.")]


class Pasted(Struct, forbid_unknown_fields=True):
    """A configuration that is checked, and not taken."""

    text: Annotated[str, Meta(max_length=1 << 20, description="YAML; no variable is replaced, no file touched.")]


class CheckedView(Struct):
    problems: Annotated[list[str], Meta(description="Empty if it is good, as far as can be seen of the text alone.")]


class ConfigRoutes:
    """@param run: calls a function on a thread: a long text takes its time."""

    def __init__(self, rules: ConfigRules, run: Callable[[Callable[[], Any]], Deferred[Any]] = maybeDeferred) -> None:
        self._rules = rules
        self._run = run

    def routes(self) -> Routes:
        return {
            "/config": {
                b"GET": Operation(
                    self.show,
                    answer=ConfigView,
                    needs="config.read",
                    action="config.show",
                    summary="Show the configuration as it holds now, without secrets.",
                ),
            },
            "/config/reload": {
                b"POST": Operation(
                    self.reload,
                    answer=ReloadedView,
                    needs="config.reload",
                    action="config.reload",
                    summary="Read the configuration again, in all workers or in none.",
                    errors=(Conflict, Unprocessable),
                ),
            },
            "/config/check": {
                b"POST": Operation(
                    self.check,
                    Pasted,
                    answer=CheckedView,
                    needs="config.reload",
                    action="config.check",
                    summary="Say what is wrong with a configuration, by its text alone.",
                ),
            },
            "/upgrade": {
                b"POST": Operation(
                    self.upgrade,
                    answer=UpgradeView,
                    status=202,
                    needs="process.upgrade",
                    action="process.upgrade",
                    summary="Have the program that is on the disk now take over, without a gap.",
                    errors=(Conflict,),
                ),
            },
        }

    async def show(self, call: Call) -> ConfigView:
        found = self._rules.show()
        return ConfigView(
            found.file,
            dict(found.configuration),
            {
                name: SettingView(value, found.origins.get(name, "default"))
                for name, value in sorted(found.settings.items())
            },
        )

    async def check(self, call: Call) -> CheckedView:
        text = call.body.text
        return CheckedView(list(await self._run(lambda: self._rules.check(text))))

    async def upgrade(self, call: Call) -> UpgradeView:
        self._rules.upgrade()
        return UpgradeView(os.getpid())

    async def reload(self, call: Call) -> ReloadedView:
        found = await self._rules.reload()
        call.details |= {"changed": list(found.changed), "needs_restart": list(found.needs_restart)}
        return ReloadedView(list(found.changed), list(found.needs_restart))
