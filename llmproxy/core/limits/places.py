"""
Places for exchanges: so many at once, a bounded queue for more, and none of the projects has all of either.

A tenth of the places (one at least, of two and more) is kept from a project that has all others. Of those that wait,
the project is next that has the fewest running; where the queue is full, one that has fewer waiting takes the place
in it of the last of the project that has the most.
"""

from __future__ import annotations

from collections import deque
from typing import Any


class Places:
    """
    No clock and no I/O: who waits is any object, and what is returned says which have a place.

    @param most: exchanges at once.
    @param queue: that wait for a place.
    @ivar running: exchanges that have a place.
    @ivar waiting: that wait for one.
    """

    def __init__(self, most: int, queue: int) -> None:
        self.most = most
        self.queue = queue
        self.running = 0
        self.waiting = 0
        self._running: dict[str, int] = {}
        self._waiting: dict[str, deque[Any]] = {}

    def enter(self, project: str) -> bool:
        """Take a place at once; C{False} if there is none, or others were there before."""
        if project in self._waiting or not self._may_run(project):
            return False
        self._take(project)
        return True

    def wait(self, project: str, who: Any) -> tuple[bool, Any]:
        """
        Have C{who} wait for a place.

        @return: whether it does, and who does not any more because of that, or C{None}.
        """
        dropped = None
        if self.waiting >= self.queue:
            longest = max(self._waiting, key=lambda each: len(self._waiting[each]), default=None)
            mine = len(self._waiting.get(project, ()))
            if longest is None or len(self._waiting[longest]) <= mine + 1:
                return False, None
            dropped = self._waiting[longest][-1]
            self.leave(longest, dropped)
        self._waiting.setdefault(project, deque()).append(who)
        self.waiting += 1
        return True, dropped

    def leave(self, project: str, who: Any) -> None:
        """One does not wait any longer."""
        others = self._waiting.get(project)
        if others is not None and who in others:
            others.remove(who)
            self.waiting -= 1
            if not others:
                del self._waiting[project]

    def end(self, project: str) -> list[Any]:
        """An exchange has ended; who has a place now that waited for one."""
        self.running -= 1
        mine = self._running[project] - 1
        if mine:
            self._running[project] = mine
        else:
            del self._running[project]
        return self.next()

    def next(self) -> list[Any]:
        """Who has a place now that waited for one."""
        found = []
        while self._waiting:
            able = [each for each in self._waiting if self._may_run(each)]
            if not able:
                break
            project = min(able, key=lambda each: self._running.get(each, 0))
            who = self._waiting[project][0]
            self.leave(project, who)
            if project in self._waiting:
                # Others that have as many running come before its next.
                self._waiting[project] = self._waiting.pop(project)
            self._take(project)
            found.append(who)
        return found

    def _may_run(self, project: str) -> bool:
        kept = max(1, self.most // 10) if self.most > 1 else 0
        return self.running < self.most and self._running.get(project, 0) < self.most - kept

    def _take(self, project: str) -> None:
        self.running += 1
        self._running[project] = self._running.get(project, 0) + 1
