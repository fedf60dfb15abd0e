"""C{llmproxy top}: what a running proxy does now, in a terminal."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from queue import Empty, Queue
from threading import Thread
from typing import Any

import click
from attrs import asdict

from ..core.watching import Watched
from .faults import Fault, Unreachable
from .livescreen import Screen, is_screen
from .management import Management
from .output import Output, printable, show_unknown_letters
from .target import management_options
from .top_screen import SORTS, View, lines

EVENTS = "numbers,exchanges,upstreams"

AGAIN = 2.0
"""Seconds until a proxy that is away is asked again."""

LOOKED = 2.6
"""Seconds that a single look takes: a proxy says something every two."""

QUIET = 50.0
"""Seconds without a word; the proxy says at least that it is there every 20."""

FIRST = 10.0
"""Seconds to wait for the first numbers."""

Heard = tuple[str, Any]
"""The name of an event and what it says; C{""} and an error, or C{None} when it is well again."""


@click.command()
@click.option("--once", is_flag=True, help="Look for three seconds, print what there is, and end.")
@click.option("--sort", type=click.Choice(SORTS), default="age", show_default=True, help="Which exchanges are first.")
@management_options
def command(api: Management, output: Output, once: bool, sort: str) -> None:
    """Watch what a running proxy does: requests, streams, tokens, spend, upstreams.

    It watches all workers by one call of the management API, which is audited once; it takes an owner, operator or
    auditor. Keys: q quits, p pauses, s sorts the exchanges by something else. The rates are those of the last ten
    seconds. In a pipe it prints what it finds in three seconds, as --once does; --json prints a line of JSON every two
    seconds, or one with --once.

    \b
    Examples:
      llmproxy top
      llmproxy top --sort out
      llmproxy top --once
      llmproxy top --json | jq .rates.tokens
    """
    show_unknown_letters()
    heard: Queue[Heard] = Queue(maxsize=1000)
    top = _Top(api, heard, sort)
    if output.as_json:
        guarded(lambda: top.say_json(once))
    elif once or not is_screen(sys.stdout, os.environ.get("TERM", "")):
        guarded(top.say_once)
    else:
        guarded(top.show)


def guarded(call: Callable[[], None]) -> None:
    """Ctrl-C is how people leave, and no error to speak of."""
    try:
        call()
    except KeyboardInterrupt:
        sys.exit(130)


def events(answer: http.client.HTTPResponse) -> Iterator[Heard]:
    """Server-sent events of an answer, as they come (HTML standard, section 9.2.6); those that are no JSON are left."""
    name, data = "", list[str]()
    while raw := answer.readline(16 * 1024 * 1024):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                try:
                    yield name, json.loads("\n".join(data))
                except ValueError:
                    pass
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)


class _Top:
    def __init__(self, api: Management, heard: Queue[Heard], sort: str) -> None:
        self._api = api
        self._heard = heard
        self._watched = Watched()
        self._sort = sort
        self._trouble = ""
        self._screen: Screen | None = None
        self._frozen: Watched | None = None

    def _listen(self) -> None:
        """In a thread of its own: whatever comes is handed over, and a connection that ends is made again."""
        while True:
            try:
                with self._api.opened("/live", quiet=QUIET, events=EVENTS) as answer:
                    self._say(("", None))
                    for each in events(answer):
                        self._say(each)
                error: Exception = Unreachable(f"{self._api.address}: it has ended the connection")
            except (Fault, click.ClickException) as fault:
                error = fault
            except Exception as other:
                error = Unreachable(f"{self._api.address}: {type(other).__name__}")
            self._say(("", error))
            if not isinstance(error, Unreachable):
                return
            time.sleep(AGAIN)

    def _say(self, what: Heard) -> None:
        self._heard.put(what)
        if self._screen is not None:
            self._screen.wake()

    def _start(self) -> None:
        Thread(target=self._listen, daemon=True).start()

    def _take(self, seconds: float = 0.0) -> bool:
        """
        Take up what was heard, and wait for it for so many seconds if there is nothing.

        @raise Fault: the proxy refuses, or was never there.
        """
        took = False
        while True:
            try:
                name, said = self._heard.get(timeout=seconds) if seconds and not took else self._heard.get_nowait()
            except Empty:
                return took
            took = True
            if name:
                self._watched.hear(name, said, time.monotonic())
            elif said is None:
                self._trouble = ""
            elif isinstance(said, Unreachable) and self._watched.numbers:
                self._trouble = f"{printable(str(said.message))}; asked again every {AGAIN:g} s"
            else:
                raise said

    def _first(self) -> None:
        """Wait for the first numbers."""
        until = time.monotonic() + FIRST
        while not self._watched.numbers:
            left = until - time.monotonic()
            if left <= 0:
                raise Unreachable(f"{self._api.address}: it says nothing of what it does")
            self._take(left)

    def _look(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._take(left)

    def say_once(self) -> None:
        self._start()
        self._first()
        self._look(LOOKED)
        width = 10_000 if not sys.stdout.isatty() else shutil.get_terminal_size().columns
        for line in lines(self._watched, self._view(keys=False), time.monotonic(), width, None):
            click.echo(line)

    def say_json(self, once: bool) -> None:
        self._start()
        self._first()
        while True:
            self._look(LOOKED if once else 2.0)
            click.echo(json.dumps(self._plain(time.monotonic()), ensure_ascii=False))
            if once:
                return

    def _plain(self, now: float) -> dict[str, Any]:
        watched = self._watched
        rates = watched.rates(now)
        return {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "numbers": watched.numbers,
            "rates": None if rates is None else asdict(rates),
            "running": watched.running,
            "exchanges": watched.exchanges,
            "upstreams": watched.upstreams,
            "error": self._trouble or None,
        }

    def show(self) -> None:
        self._start()
        # What is refused is said in the terminal as it is, not on a screen that is gone at once.
        self._first()
        with Screen() as screen:
            self._screen = screen
            try:
                self._draw_until_quit(screen)
            except BrokenPipeError:
                return
            finally:
                self._screen = None

    def _draw_until_quit(self, screen: Screen) -> None:
        paused, noted, now = False, 0.0, time.monotonic()
        while True:
            self._take()
            if not paused:
                now = time.monotonic()
                if now - noted >= 2.0:
                    noted = now
                    self._watched.note_history(now)
            width, height = screen.size()
            view = self._view(paused=paused, keys=screen.keys)
            screen.draw(lines(self._frozen or self._watched, view, now, width, height))
            typed = screen.wait(1.0)
            # Arrows and their kind begin with an escape, and say nothing here.
            for key in "" if typed.startswith("\x1b") else typed:
                if key in "qQ\x03\x04":
                    return
                if key in "pP ":
                    paused = not paused
                    self._frozen = deepcopy(self._watched) if paused else None
                elif key in "sS":
                    self._sort = SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)]

    def _view(self, **more: Any) -> View:
        encoding = (getattr(sys.stdout, "encoding", "") or "").lower()
        return View(
            address=self._api.address,
            time=time.strftime("%H:%M:%S"),
            sort=self._sort,
            trouble=self._trouble,
            colours=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
            unicode="utf" in encoding,
            **more,
        )
