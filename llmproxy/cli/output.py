"""Output of commands: tables and sentences for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


class Output:
    """
    @ivar as_json: C{--json}: values are printed as the server gave them, sentences not at all.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    def json(self, value: Any) -> None:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))

    def table(
        self,
        value: Any,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        empty: str = "none",
        *,
        footer: Sequence[Any] | None = None,
        numbers: Container[int] = (),
    ) -> None:
        """
        Rows under the names of their columns; C{value} itself for scripts.

        In a terminal a row fits its width, if all numbers have room there; in a pipe nothing is cut.

        @param footer: a last row, below a line.
        @param numbers: the places of columns that stand to the right, and are neither folded nor cut: a part of a
            number is another number.
        """
        if self.as_json:
            self.json(value)
            return
        shown = [[text_of(cell) for cell in row] for row in rows]
        if not shown:
            self.say(empty)
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for at, name in enumerate(columns):
            is_number = at in numbers
            table.add_column(name, overflow="fold", justify="right" if is_number else "left", no_wrap=is_number)
        for row in shown:
            table.add_row(*(Text(cell) for cell in row))
        if footer is not None:
            table.add_section()
            table.add_row(*(Text(str(cell)) for cell in footer), style="bold")
        whole = [*shown, [str(cell) for cell in footer or ()]]
        _print(table, _least_width(columns, whole, numbers) if numbers else 0)

    def fields(self, value: Any, pairs: Iterable[tuple[str, Any]]) -> None:
        """One thing, a line for each of its fields; C{value} itself for scripts."""
        if self.as_json:
            self.json(value)
            return
        shown = [(name, text_of(content)) for name, content in pairs]
        width = max(len(name) for name, _ in shown)
        for name, content in shown:
            click.echo(f"{name:{width}}  {content}")

    def lines(self, lines: Iterable[str]) -> None:
        """Lines as they are, for people and for scripts that read them."""
        for line in lines:
            click.echo(line)

    def say(self, words: str, value: Any = None) -> None:
        """A sentence for people; C{value} for scripts, if there is one."""
        if not self.as_json:
            click.echo(printable(words))
        elif value is not None:
            self.json(value)


def warn(words: str) -> None:
    """A sentence on stderr: it is in nobody's pipe."""
    click.echo(f"warning: {printable(words)}", err=True)


def printable(text: str) -> str:
    """What comes from elsewhere does not drive the terminal: control characters are shown as what they are."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def show_unknown_letters() -> None:
    """What standard output has no letters for is shown as an escape from now on, and is no error."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def text_of(value: Any) -> str:
    """A cell."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(text_of(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(str(key))}={text_of(each)}" for key, each in value.items())
    return printable(str(value))


def moment(text: str | None) -> str:
    """A time of the API, RFC 3339, as people read it: in UTC, to the second."""
    if not text:
        return "-"
    try:
        # Python 3.10's fromisoformat takes fractions of three or six digits only; Go writes up to nine.
        when = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return printable(text)
    return when.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")


class Progress:
    """
    A bar on stderr while something long is done, where stderr is a terminal: a context manager that gives what
    is called with the number of steps just done.

    @param total: of steps, C{None} if it is not known.
    """

    def __init__(self, words: str, total: int | None = None) -> None:
        self._words = words
        self._total = total
        self._bar: RichProgress | None = None

    def __enter__(self) -> Callable[[int], None]:
        if not sys.stderr.isatty():
            return _unseen
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        bar = self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True)
        bar.start()
        task = bar.add_task(self._words, total=self._total)

        def advance(steps: int) -> None:
            bar.update(task, advance=steps)

        return advance

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _unseen(steps: int) -> None:
    pass


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Container[int]) -> int:
    """Characters of a line that has all of its numbers, and some of everything else."""
    least = 0
    for at, name in enumerate(columns):
        cells = [name, *(row[at] for row in rows if at < len(row))]
        least += max(map(len, cells)) if at in numbers else min(_LEAST_FOLDED, max(map(len, cells)))
    return least + 3 * len(columns)


_LEAST_FOLDED = 4


def _print(table: Any, least: int) -> None:
    from rich.console import Console

    stdout = sys.stdout
    console = Console(file=stdout, highlight=False, width=None if stdout.isatty() else 10_000)
    if stdout.isatty():
        console.width = max(console.width, least)
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines() if line.strip()))
