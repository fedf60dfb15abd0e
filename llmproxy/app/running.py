"""The exchanges of a proxy that run, in all of its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.running import running_of, together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.internet.defer import Deferred

    from ..core.masking import Masking
    from .generations import Generations
    from .peers import Peers


class RunningExchanges:
    """
    Answers what its peers ask, too; see L{Peers.ask}.

    @param masking: what a client has called its request, or a model, is masked as in a record.
    """

    def __init__(self, reactor: Any, generations: Generations, peers: Peers, masking: Masking) -> None:
        self._reactor = reactor
        self._generations = generations
        self._peers = peers
        self._masking = masking

    def answer(self, what: str, values: Mapping[str, Any]) -> Any:
        """What this process says; C{None} to a question that it does not know."""
        if what == "running":
            return self._here(values)
        return self._cut_here(values["id"]) if what == "cut" else None

    def running(self, **wanted: str) -> Deferred[dict[str, Any]]:
        """
        Those of all.

        @param wanted: C{person} and C{session}, see L{running_of}.
        """
        here = self._here(wanted)
        asking = self._peers.ask("running", wanted)
        return asking.addCallback(lambda others: together([here, *(each for each in others if each is not None)]))

    def cut(self, request_id: str) -> Deferred[int]:
        """End those of an id, in all processes; how many there were."""
        here = self._cut_here(request_id)
        return self._peers.ask("cut", {"id": request_id}).addCallback(lambda others: here + sum(filter(None, others)))

    def _here(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        found = (each for living in self._generations.living for each in living.account.running())
        person, session = wanted.get("person", ""), wanted.get("session", "")
        shown = running_of(found, self._reactor.seconds(), person=person, session=session)
        for each in shown["exchanges"]:
            for name in ("id", "model", "endpoint", "session"):
                each[name] = self._masking.text(each[name])
        return shown

    def _cut_here(self, request_id: str) -> int:
        return sum(living.account.cut(request_id, "revoked") for living in self._generations.living)
