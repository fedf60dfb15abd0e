"""The circuits of one upstream and key: one for its connections, and one for each model that fails."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field, frozen

from ..apisettings import BreakerSettings
from .breaker import Circuit, State

MOST_MODELS = 64
"""Circuits of models for each upstream and key: callers can invent names."""


@frozen
class CircuitState:
    """
    A circuit as it is shown.

    @ivar project: the id of the one whose key it is; C{""} for a key of the upstream's own, and for none.
    @ivar model: C{""} for the circuit of the connections.
    @ivar retry_after: seconds until a request may try again.
    @ivar process: the id of the process that has it.
    """

    api: str
    project: str
    model: str
    state: State
    failures: int
    reason: str
    retry_after: float
    process: int


@define(slots=True, eq=False)
class Circuits:
    """
    A model has a circuit from its first failure to its next success: what works costs nothing.

    @ivar project: see L{CircuitState}.
    @ivar connection: of all requests, whatever their model.
    """

    api: str
    project: str
    settings: BreakerSettings
    connection: Circuit = field(init=False)
    models: dict[str, Circuit] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.connection = Circuit(self.settings)

    def failing(self, model: str, ticket: int) -> Circuit | None:
        """
        The circuit of a model that has just failed.

        @param ticket: of the request that did.
        @return: C{None} if there are too many already, all of them open.
        """
        circuit = self.models.get(model)
        if circuit is None:
            if len(self.models) >= MOST_MODELS and not self._make_room():
                return None
            circuit = self.models[model] = Circuit(self.settings)
            circuit.admit(0.0, max(ticket, self.connection.latest))
        return circuit

    def succeeded(self, model: str, ticket: int) -> None:
        """A request for a model was answered."""
        circuit = self.models.get(model)
        if circuit is not None:
            circuit.succeeded(ticket)
            if circuit.state == "closed":
                del self.models[model]

    def answers(self, model: str, ticket: int) -> None:
        """A head has come: that closes what is half open. It ends no row of failures, which is for the body to do."""
        if self.connection.state != "closed":
            self.connection.succeeded(ticket)
        circuit = self.models.get(model)
        if circuit is not None and circuit.state != "closed":
            self.succeeded(model, ticket)

    def abandoned(self, model: str, ticket: int, now: float) -> None:
        """A request has ended that says nothing more of upstream."""
        self.connection.abandoned(ticket, now)
        circuit = self.models.get(model)
        if circuit is not None:
            circuit.abandoned(ticket, now)

    def troubled(self) -> Iterator[tuple[str, Circuit]]:
        """Circuits that are not closed, or have counted a failure, by model; C{""} is that of the connections."""
        for model, circuit in (("", self.connection), *self.models.items()):
            if circuit.state != "closed" or circuit.failures:
                yield model, circuit

    def _make_room(self) -> bool:
        for model, circuit in self.models.items():
            if circuit.state == "closed":
                del self.models[model]
                return True
        return False


@define
class CircuitTally:
    """
    How the circuits of an upstream are, each key counted once.

    @ivar open: keys that it is not asked with.
    @ivar half_open: keys with which one request finds out whether it can be.
    @ivar models: circuits of single models that are not closed.
    """

    closed: int = 0
    open: int = 0
    half_open: int = 0
    models: int = 0

    def count(self, circuits: Circuits) -> None:
        """Count those of one more key."""
        name = circuits.connection.state.replace(" ", "_")
        setattr(self, name, getattr(self, name) + 1)
        self.models += sum(circuit.state != "closed" for circuit in circuits.models.values())

    def add(self, other: CircuitTally) -> None:
        """Count those of another process."""
        self.closed += other.closed
        self.open += other.open
        self.half_open += other.half_open
        self.models += other.models
