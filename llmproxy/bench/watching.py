"""Progress on stderr while runs are made: a bar on a terminal, a line a run elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Watching:
    """
    A context in which L{progress} shows what runs.

    The bar is of the current run: how many there will be is not known, as searches end when they know enough.
    """

    def __init__(self, stream: IO[str] | None = None, quiet: bool = False) -> None:
        self._console = Console(file=stream or sys.stderr, quiet=quiet)
        self._bar = Progress(
            TimeElapsedColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[done]:>9,}"),
            TextColumn("{task.description}"),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._name = ""
        self._began = 0.0

    def __enter__(self) -> Watching:
        # Elsewhere rich 13 would end even a bar that is disabled with an empty line.
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def progress(self, name: str, lasts: float, done: int) -> None:
        """
        See L{llmproxy.bench.comparison.Watch}.

        @param lasts: seconds.
        """
        now = self._bar.get_time()
        if name != self._name:
            self._name, self._began = name, now
            if self._console.is_terminal:
                self._next_task(name, lasts)
            else:
                self._console.print(name, highlight=False, soft_wrap=True)
        if self._task is not None:
            self._bar.update(self._task, completed=min(now - self._began, lasts), done=done)

    def _next_task(self, name: str, lasts: float) -> None:
        if self._task is None:
            self._task = self._bar.add_task(name, total=lasts, done=0)
        else:
            self._bar.update(self._task, description=name, total=lasts, completed=0, done=0)
