"""C{llmproxy dispatcher}, with one more type of sink: a webhook whose process ends where it sees certain events."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.internet.defer import Deferred

from llmproxy.core.events import Event
from llmproxy.core.events.receipts import Receipt
from llmproxy.sinks import registry
from llmproxy.sinks.webhook import Webhook

from .events import DEADLY


class Mortal(Webhook):
    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        if any(event.path == DEADLY for event in batch):
            os._exit(9)
        return super().deliver(batch)


def main() -> None:
    from llmproxy.cli import main as cli

    registry.TYPES["mortal"] = "tests.eventrun.dispatcher:Mortal"
    cli()


if __name__ == "__main__":
    main()
