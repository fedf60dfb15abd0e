"""A visit: one request for a page, as views have it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import urlencode

from attrs import define, field, frozen

from .answers import ViewAnswer
from .backend import Api, Who
from .formats import Formats
from .reader import Reader


@frozen
class Form:
    """
    What a form held, by the names of its fields; each may stand there several times.

    A text is without the spaces around it: they come from pasting. Secrets have none.
    """

    values: Mapping[str, list[str]] = field(factory=dict, repr=False)

    def text(self, name: str) -> str:
        """The first value of a field, C{""} if there is none."""
        return self.values.get(name, [""])[0].strip()

    def flag(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.text(name) not in ("", "0", "off", "false")

    def all(self, name: str) -> list[str]:
        """All values of a field that are not empty."""
        return [each.strip() for each in self.values.get(name, []) if each.strip()]

    def shown(self) -> dict[str, str]:
        """What is shown again beside an error; the views take secrets out."""
        return {name: values[0].strip() for name, values in self.values.items() if name != "csrf"}


@define(eq=False)
class Visit:
    """
    @ivar path: below the pages, without the query: C{/projects}.
    @ivar names: the segments that stand for the C{{names}} of the route.
    @ivar query: the first value of each parameter.
    @ivar api: the management API, with the rights of who is signed in.
    @ivar forms: how numbers and dates are written.
    @ivar apis_at: where programs reach the APIs, C{""} where that is not known.
    """

    method: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    form: Form
    api: Api
    who: Who
    reader: Reader
    forms: Formats
    now: float
    apis_at: str = ""

    def link(self, **changes: Any) -> str:
        """
        This address with other parameters: filters live in the address, so that it can be shared.

        @param changes: by name; C{""} and C{None} take a parameter away.
        """
        given = {**self.query, **{name: "" if value is None else str(value) for name, value in changes.items()}}
        text = urlencode({name: value for name, value in given.items() if value})
        return self.path + (f"?{text}" if text else "")


View = Callable[[Visit], Coroutine[Any, Any, ViewAnswer]]


@frozen
class Route:
    """
    @ivar method: C{GET} or C{POST}.
    @ivar path: below the pages, C{/projects/{project_id}}; a name stands for one segment.
    @ivar needs: the permission that it takes, C{""} for none.
    """

    method: str
    path: str
    view: View
    needs: str = ""


@frozen
class Entry:
    """
    One line of the navigation.

    @ivar needs: who may not, does not see it.
    @ivar order: where it stands, the smallest first.
    """

    label: str
    path: str
    needs: str = ""
    order: int = 100
