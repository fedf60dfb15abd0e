"""Calls at intervals, on the clock that is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.task import LoopingCall

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime


class ClockedCall(LoopingCall):
    """
    See L{LoopingCall}. That takes the global reactor for its clock when it is made, and so installs the default one
    where an application has not chosen yet, or has another.
    """

    def __init__(self, clock: IReactorTime, work: Callable[[], object]) -> None:
        # All that LoopingCall's own does, but for the import.
        self.f = work
        self.a = ()
        self.kw = {}
        self.clock = clock
