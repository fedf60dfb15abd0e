"""Usage as commands ask for it: over the management API, or in the database itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import click

from .lookup import person_id_of, project_id_of, token_ids_called
from .management import Management
from .output import Output
from .storage import storage_of_proxy, warn_of_password
from .target import CONNECT, OPTIONS, connect

PAGE = 1000
"""Records that are held at a time."""


class Reading(Protocol):
    """Where usage is. Each method gives what the API would say."""

    def project_id(self, text: str) -> str:
        """Of the project with this name or id."""

    def person_id(self, text: str) -> str:
        """Of the person with this id, address or name."""

    def token_ids(self, text: str) -> list[str]:
        """Of the tokens with this id or name; C{-} is a secret on standard input."""

    def report(self, **query: Any) -> dict[str, Any]: ...

    def records(self, size: int, **query: Any) -> Iterator[list[dict[str, Any]]]:
        """Page by page, the latest first."""


class UsageSource:
    """Where usage is, opened when the first thing is asked."""

    def __init__(self, opened: Callable[[], Reading]) -> None:
        self._open = opened
        self._reading: Reading | None = None

    @property
    def reading(self) -> Reading:
        if self._reading is None:
            self._reading = self._open()
        return self._reading

    def query(
        self,
        *,
        since: str | None,
        until: str | None,
        projects: Sequence[str],
        tokens: Sequence[str],
        apis: Sequence[str],
        models: Sequence[str],
        tz: str,
        persons: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The parameters that options stand for."""
        lists = {
            "project_id": [self.reading.project_id(each) for each in projects],
            "token_id": [token_id for each in tokens for token_id in self.reading.token_ids(each)],
            "api": apis,
            "model": models,
            "person_id": [self.reading.person_id(each) for each in persons],
        }
        joined = {name: ",".join(values) or None for name, values in lists.items()}
        return {"from": since, "to": until, "tz": tz, **joined}

    def report(self, **query: Any) -> dict[str, Any]:
        """See C{GET /manage/usage}."""
        return self.reading.report(**query)

    def records(self, limit: int | None, **query: Any) -> Iterator[list[dict[str, Any]]]:
        """The latest C{limit} records, or all, page by page."""
        left = limit
        for page in self.reading.records(PAGE if limit is None else min(PAGE, limit), **query):
            yield page if left is None else page[:left]
            if left is not None:
                left -= len(page)
                if left <= 0:
                    return


class OverTheApi:
    def __init__(self, api: Management) -> None:
        self._api = api

    def project_id(self, text: str) -> str:
        return project_id_of(self._api, text)

    def person_id(self, text: str) -> str:
        return person_id_of(self._api, text)

    def token_ids(self, text: str) -> list[str]:
        return token_ids_called(self._api, text)

    def report(self, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._api.get("/usage", **query)
        return found

    def records(self, size: int, **query: Any) -> Iterator[list[dict[str, Any]]]:
        return self._api.pages("/usage/records", limit=size, **query)


def usage_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give a command the options of those that ask the API, and those for the database itself; call it with C{source}
    and C{output}.
    """

    @functools.wraps(command)
    def asking(direct: bool, database: str | None, env: str | None, as_json: bool, **options: Any) -> Any:
        given = {name: options.pop(name) for name in CONNECT}

        def opened() -> Reading:
            if not (direct or database):
                return OverTheApi(connect(**given))
            from .usage_database import InTheDatabase

            warn_of_password("--database", database)
            return InTheDatabase(storage_of_proxy(database, env, given["data"]))

        return command(source=UsageSource(opened), output=Output(as_json), **options)

    for option in reversed((*OPTIONS, *_DIRECT)):
        asking = option(asking)
    return asking


_DIRECT = (
    click.option("--direct", is_flag=True, help="Read the database itself: no proxy is asked."),
    click.option("--database", metavar="URL", help="The same, with this one. [DATABASE_URL, DATABASE_PATH]"),
    click.option("--env", metavar="FILE", help="A file of variables, for --direct."),
)
