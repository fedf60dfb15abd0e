"""Rules of the list of circuits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.circuits import CircuitState


def listed(circuits: Iterable[CircuitState]) -> list[CircuitState]:
    """Those that refuse requests first; then by API, project, model and process."""
    return sorted(circuits, key=_order)


def _order(state: CircuitState) -> tuple[bool, str, str, str, int]:
    return state.state == "closed", state.api, state.project, state.model, state.process
