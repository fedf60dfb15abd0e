"""What a write can end with besides success and failure."""

from __future__ import annotations

from ..errors import Unavailable


class OutcomeUnknown(Unavailable):
    """The connection was lost while a transaction was committed: it may have happened, or not."""
