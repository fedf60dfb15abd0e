"""The benchmark of the Go program: a fixed number of requests to one address, and its table."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Union
from urllib.parse import urlsplit

import click
from attrs import frozen

from ..core.oldbenchmark import Asked, Figures, table
from .faults import Fault
from .http import Http, parse_address
from .output import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = Union["Mapping[str, Any]", http.client.HTTPMessage]

PATIENCE = 10.0
"""Seconds without a sign of the server, as there."""

MOST_AT_ONCE = 512
"""Each is a thread."""

_SHOWN = 2000
"""Characters of a sample."""


@frozen
class Sample:
    """An answer to be shown: of each status the first."""

    fields: list[tuple[str, str]]
    body: bytes


class FixedBenchmark:
    """
    @param token: is sent, and never shown.
    @param cache_ttl: seconds, C{None} asks for no cached answers.
    """

    def __init__(
        self,
        base_url: str,
        endpoint: str,
        token: str,
        *,
        method: str = "POST",
        body: bytes = b"",
        requests: int = 1,
        concurrency: int = 1,
        cache_ttl: int | None = None,
    ) -> None:
        if concurrency > MOST_AT_ONCE:
            raise click.UsageError(f"--concurrency: {MOST_AT_ONCE} at most; llmproxy benchmark --url takes more")
        try:
            self._address = parse_address(base_url.partition("?")[0])
        except ValueError as error:
            raise click.UsageError(f"--base-url: {error}") from None
        parts = urlsplit(endpoint)
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._method = method
        self._body = body if method != "GET" else b""
        self._fields = {"Authorization": f"Bearer {token}", "User-Agent": "llmproxy-benchmark"}
        if self._body:
            self._fields["Content-Type"] = "application/json"
        if cache_ttl is not None:
            self._fields["Cache-Control"] = f"public, max-age={cache_ttl}"
        self._left = requests
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self.figures = Figures(concurrency, 0.0)
        self.samples: dict[int, Sample] = {}
        self._progress = sys.stderr.isatty()

    def run(self) -> Figures:
        """Ask as often as was said. Ctrl-C ends it, with the figures so far."""
        began = time.perf_counter()
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._concurrency)]
        for each in threads:
            each.start()
        try:
            for each in threads:
                while each.is_alive():
                    each.join(0.2)
        except KeyboardInterrupt:
            with self._lock:
                self._left = 0
        self.figures.seconds = time.perf_counter() - began
        if self._progress:
            click.echo(err=True)
        return self.figures

    def _work(self) -> None:
        connection = _Kept(self._address)
        while self._takes():
            asked = self._ask(connection)
            with self._lock:
                self.figures.asked.append(asked)
                if self._progress:
                    done = len(self.figures.asked)
                    click.echo(f"\rcompleted: {done}, failed: {self.figures.failed}", nl=False, err=True)
        connection.close()

    def _takes(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def _ask(self, connection: _Kept) -> Asked:
        fields = self._fields | {"X-REQUEST-START": str(time.time_ns())}
        began = time.perf_counter()
        try:
            status, found, body = connection.ask(self._method, self._path, fields, self._body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return Asked(time.perf_counter() - began, 0, failure=str(error) or type(error).__name__)
        took = time.perf_counter() - began
        with self._lock:
            self.samples.setdefault(status, Sample(list(found.items()), body))
        return Asked(took, status, upstream_seconds(found), is_hit(found))


class _Kept:
    """A connection that is kept, and made anew where the server has closed it."""

    def __init__(self, address: Any) -> None:
        self._address = address
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self, method: str, path: str, fields: Mapping[str, str], body: bytes
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        if self._connection is None:
            self._connection = Http(self._address, PATIENCE).connection()
        self._connection.request(method, self._address.path + path, body=body or None, headers=dict(fields))
        response = self._connection.getresponse()
        return response.status, response.headers, response.read()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def upstream_seconds(fields: Fields) -> float:
    """What an answer says that upstream took: the Go program's moments, or C{Server-Timing} of ours; 0 if nothing."""
    try:
        began, ended = (int(fields[f"X-UPSTREAM-REQUEST-{each}"]) for each in ("START", "STOP"))
        return max(ended - began, 0) / 1e9
    except (KeyError, TypeError, ValueError):
        pass
    for part in str(fields.get("Server-Timing") or "").split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        for each in parameters:
            if name == "upstream" and each.startswith("dur="):
                try:
                    return max(float(each[4:]), 0.0) / 1e3
                except ValueError:
                    return 0.0
    return 0.0


def is_hit(fields: Fields) -> bool:
    """Whether a cache has answered: the Go program's field, or RFC 9211's."""
    old = str(fields.get("X-PROXY-CACHE") or "").lower()
    new = str(fields.get("Cache-Status") or "").lower()
    return old in ("hit", "conditional-hit") or any(each.strip() == "hit" for each in re.split("[;,]", new))


def show(benchmark: FixedBenchmark, cache: bool, debug: bool) -> None:
    """The table, and with C{--debug} an answer of each status."""
    for line in table(benchmark.figures, cache):
        click.echo(line)
    reasons = [each.failure for each in benchmark.figures.asked if not each.status]
    if reasons:
        click.echo(f"Network error: {printable(reasons[0])}", err=True)
    if not debug:
        return
    click.echo("\nSample responses by status code:")
    for status, sample in sorted(benchmark.samples.items()):
        text = sample.body[:_SHOWN].decode("utf-8", "replace")
        click.echo(f"\nStatus {status}:")
        click.echo(f"Response body: {printable(text) or '<empty body>'}")
        click.echo("Response headers:")
        for name, value in sample.fields:
            click.echo(f"  {name}: {printable(value)}")


def body_of(text: str | None) -> bytes:
    """
    What C{--json} has there.

    @raise Fault: it is no JSON.
    """
    if not text:
        return b""
    try:
        json.loads(text)
    except ValueError as error:
        raise Fault(f"--json: is not JSON: {error}") from None
    return text.encode()
