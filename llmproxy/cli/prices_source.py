"""The prices that hold, as commands know them: of a configuration if there is one, above those of the book."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click
from attrs import define

from ..config.dotenv import with_dotenv
from ..config.variables import DEFAULT_CONFIG
from ..errors import ConfigError
from .faults import Fault
from .output import Output, warn
from .storage import is_of_quickstart, storage_of_proxy, warn_of_password

if TYPE_CHECKING:
    from ..config import APIConfig
    from ..prices.pricer import Prices

_CONFIG = click.option("--config", "-c", metavar="FILE", help="The YAML file of the APIs. [API_CONFIG_PATH]")
_DATABASE = click.option("--database", metavar="URL", help="sqlite:///path, or a path. [DATABASE_URL, DATABASE_PATH]")
_ENV = click.option("--env", metavar="FILE", help="A file of variables; those that are set already stay as they are.")
_BOOK_ONLY = click.option("--book-only", is_flag=True, help="Go by the prices of the book, without a configuration.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@define(slots=False)
class PriceSource:
    """
    @ivar path: of the configuration, as it was named.
    @ivar database: the URL of it, likewise.
    @ivar env: a file of variables.
    @ivar book_only: no configuration is looked for.
    """

    path: str | None
    env: str | None
    database: str | None = None
    book_only: bool = False

    def check(self, writes: bool = False) -> None:
        """
        Look whether it is clear which prices hold. Where there is no configuration, and it was not said that the book
        is enough, it is said what is missing; a proxy of C{llmproxy quickstart} has none.

        @param writes: something is changed by them, which then is refused.
        @raise click.UsageError: so it is; or the options contradict each other.
        @raise Fault: the configuration cannot be used.
        """
        if self.book_only and self.path:
            raise click.UsageError("--book-only goes without --config")
        if self.book_only or self.config is not None or is_of_quickstart(storage_of_proxy(self.database, self.env)):
            return
        missing = f"there is no {DEFAULT_CONFIG}"
        if writes:
            raise click.UsageError(
                f"{missing}: name the configuration of the proxy with --config, as its prices: come before those of the"
                " book; or say --book-only"
            )
        warn(f"{missing}, these are the prices of the book; if the proxy has prices: of its own, name it with --config")

    @cached_property
    def config(self) -> APIConfig | None:
        """
        The configuration; C{None} if none was named, and there is none where it would be, or it is not wanted.

        @raise Fault: it cannot be used.
        """
        from ..config import load_api_config

        try:
            known = with_dotenv(os.environ, self.env)
            if self.book_only:
                return None
            named = self.path or known.get("API_CONFIG_PATH", "")
            if not named and not os.path.exists(DEFAULT_CONFIG):
                return None
            return load_api_config(named or DEFAULT_CONFIG, env=known)
        except ConfigError as error:
            raise Fault("; ".join(error.problems)) from None

    @cached_property
    def prices(self) -> Prices:
        """Those that hold."""
        from ..prices.pricer import Prices
        from ..providers.registry import BOOKS

        return Prices(() if self.config is None else self.config.price_rules(), BOOKS)

    @cached_property
    def vendors(self) -> dict[str, tuple[str, ...]]:
        """Whose models each API of the configuration serves, by its name; C{""} is not known."""
        from ..providers.registry import vendors_of

        apis = [] if self.config is None else self.config.compiled()
        return {api.name: vendors_of((each.provider for each in api.upstreams), api.dialect) for api in apis}


def price_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command C{--config}, C{--env} and C{--json}, and call it with C{source} and C{output}."""

    @functools.wraps(command)
    def asking(config: str | None, env: str | None, as_json: bool, **options: Any) -> Any:
        return command(source=PriceSource(config, env), output=Output(as_json), **options)

    for option in (_JSON, _ENV, _CONFIG):
        asking = option(asking)
    return asking


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same with C{--database}, for what is decided by the prices: those of the configuration are not forgotten."""

    @functools.wraps(command)
    def asking(
        config: str | None, book_only: bool, database: str | None, env: str | None, as_json: bool, **options: Any
    ) -> Any:
        warn_of_password("--database", database)
        source = PriceSource(config, env, database, book_only)
        source.check(writes=bool(options.get("yes")))
        return command(source=source, output=Output(as_json), **options)

    for option in (_JSON, _ENV, _DATABASE, _BOOK_ONLY, _CONFIG):
        asking = option(asking)
    return asking
