"""Where commands read usage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.usage_source import PAGE, UsageSource

from ..tables import row


class Reading:
    """Has records without end; notes how many were asked for."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def project_id(self, text: str) -> str:
        return f"id of {text}"

    def token_ids(self, text: str) -> list[str]:
        return [f"token {text}", "another"]

    def report(self, **query: Any) -> dict[str, Any]:
        return query

    def records(self, size: int, **query: Any) -> Iterator[list[dict[str, Any]]]:
        while True:
            self.sizes.append(size)
            yield [{}] * size


class SourceTests(SynchronousTestCase):
    def test_opened_when_needed(self) -> None:
        """Nothing is connected to before something is asked, and then once."""
        made: list[Reading] = []
        source = UsageSource(lambda: made.append(Reading()) or made[-1])  # type: ignore[func-returns-value]
        self.assertEqual(made, [])
        source.report()
        source.report()
        self.assertEqual(len(made), 1)

    def test_query(self) -> None:
        """What is not given is not sent; what is given several times is one list."""
        nothing: dict[str, Any] = {"projects": (), "tokens": (), "apis": (), "models": ()}
        source = UsageSource(Reading)
        for given, sent in (
            ({}, {}),
            ({"projects": ("a", "b")}, {"project_id": "id of a,id of b"}),
            ({"tokens": ("-",)}, {"token_id": "token -,another"}),
            ({"apis": ("x",), "models": ("m", "n")}, {"api": "x", "model": "m,n"}),
        ):
            with row(self, given):
                query = source.query(since=None, until="1h", tz="UTC", **{**nothing, **given})
                found = {name: value for name, value in query.items() if value is not None}
                self.assertEqual(found, {"to": "1h", "tz": "UTC", **sent})

    def test_limit(self) -> None:
        """As many records as are wanted, in pages that are never larger than one."""
        for limit, count, sizes in ((1, 1, [1]), (PAGE, PAGE, [PAGE]), (PAGE + 1, PAGE + 1, [PAGE] * 2)):
            with row(self, limit):
                reading = Reading()
                found = sum(map(len, UsageSource(lambda reading=reading: reading).records(limit)))
                self.assertEqual((found, reading.sizes), (count, sizes))
