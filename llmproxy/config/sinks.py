"""Sinks of events as a configuration has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..core.events.policy import DEAD_LETTERS, QUEUE, QUEUE_BYTES, SPOOL, SinkPolicy

if TYPE_CHECKING:
    from ..core.events.when import When

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)

_SECRET = re.compile(
    r"(?:^|[_-])(?:key|secret|password|passwd|token|authorization|credential|cookie)s?$", re.IGNORECASE
)
LEAST_SECRET = 16
"""Characters: what is shorter may be a word that stands in records of exchanges, such as C{production}."""

_NO_SECRETS = frozenset({"public_key", "client_key"})
"""Names that look like those of secrets and are none."""


def is_secret(name: str) -> bool:
    """Whether a setting, or a field of a header section, holds what nobody else may see."""
    return _SECRET.search(name) is not None and name not in _NO_SECRETS


@frozen
class SinkConfig:
    """
    @ivar name: what metrics, management and its files call it.
    @ivar type: see L{llmproxy.sinks.registry}.
    @ivar when: which events it wants, see L{When}.
    @ivar sample: the share of exchanges that it wants.
    @ivar directory: where its spool and its dead letters are; C{None} for the usual place.
    @ivar settings: those of its type, by their names.

    The others are those of L{SinkPolicy}.
    """

    name: str
    type: str
    when: Mapping[str, Any] = field(factory=dict)
    sample: float = 1.0
    batch: int = 100
    flush_interval: float = 1.0
    queue: int = QUEUE
    queue_bytes: int = QUEUE_BYTES
    spool: int = SPOOL
    dead_letters: int = DEAD_LETTERS
    timeout: float = 30.0
    attempts: int = 0
    directory: str | None = None
    settings: Mapping[str, Any] = field(factory=dict, repr=False)

    def policy(self) -> SinkPolicy:
        return SinkPolicy(
            self.batch,
            self.flush_interval,
            self.queue,
            self.queue_bytes,
            self.spool,
            self.dead_letters,
            self.timeout,
            self.attempts,
        )

    def filter(self) -> When:
        """
        @raise ValueError: C{when} is none.
        """
        from ..core.events.when import When

        return When(self.when, self.sample)

    def secrets(self) -> Iterator[str]:
        """Texts of its settings that are to stand nowhere."""
        for name, value in self.settings.items():
            yield from secrets_in(name, value)


def secrets_in(name: str, value: Any, below: bool = False) -> Iterator[str]:
    """
    Those of one setting, by its name; of a header section those of its fields, without their schemes too.

    @param below: it stands in a mapping, whose names are others' (C{x-honeycomb-team} is a key): what is long enough
        to be no word of a language counts there too.
    """
    if isinstance(value, Mapping):
        for each, inner in value.items():
            yield from secrets_in(str(each), inner, below=True)
    elif isinstance(value, str) and (is_secret(name) or (below and len(value) >= LEAST_SECRET)):
        yield value
        if name.lower().endswith("authorization"):
            yield from value.split(" ")[1:]
