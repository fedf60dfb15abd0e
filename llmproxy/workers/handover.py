"""A handover: what a process leaves to the one that replaces it, by exec or as its child."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import MutableMapping

import msgspec

VARIABLE = "LLMPROXY_HANDOVER"
"""Where the next process finds it: numbers of descriptors and processes, no secret."""

TRIAL = "LLMPROXY_TRIAL_START"
"""Set for a process that only tries whether it could start."""


class HeldSocket(msgspec.Struct, frozen=True):
    """
    A socket that listens.

    @ivar option: where its description comes from, see L{llmproxy.app.settings.Settings.listeners}.
    """

    option: str
    description: str
    fd: int
    family: int


class FormerWorker(msgspec.Struct, frozen=True):
    """
    A worker that runs on while others take over.

    @ivar to_fd: what is written there, it reads.
    @ivar from_fd: what it writes.
    """

    pid: int
    number: int
    to_fd: int
    from_fd: int


class Handover(msgspec.Struct, frozen=True):
    """
    @ivar limits: descriptor of the table of limits, C{-1} for none; C{width} is its number of columns.
    @ivar generation: how often was handed over until now.
    @ivar drained: upstreams that nothing is to go to.
    @ivar ready: descriptor where the next process says that it serves, C{-1} where nobody waits for it.
    """

    sockets: tuple[HeldSocket, ...] = ()
    workers: tuple[FormerWorker, ...] = ()
    limits: int = -1
    width: int = 0
    generation: int = 0
    drained: tuple[tuple[str, str], ...] = ()
    ready: int = -1

    @property
    def descriptors(self) -> list[int]:
        """All that the next process has to inherit."""
        found = [each.fd for each in self.sockets]
        found += [fd for each in self.workers for fd in (each.to_fd, each.from_fd)]
        return found + [each for each in (self.limits, self.ready) if each >= 0]

    def packed(self) -> str:
        return b64encode(msgspec.json.encode(self)).decode("ascii")

    def leave_open(self) -> None:
        """Have all descriptors outlive an exec."""
        for fd in self.descriptors:
            os.set_inheritable(fd, True)


def taken(env: MutableMapping[str, str]) -> Handover | None:
    """What the process before has left; C{None} for the first one. Nobody after us gets the same."""
    text = env.pop(VARIABLE, None)
    if not text:
        return None
    found = msgspec.json.decode(b64decode(text), type=Handover)
    for fd in found.descriptors:
        os.set_inheritable(fd, False)
    return found


def is_trial(env: MutableMapping[str, str]) -> bool:
    """Whether this process is to find out only whether it could start."""
    return env.get(TRIAL) == "1"
