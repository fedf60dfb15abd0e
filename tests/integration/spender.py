"""
A process that spends a token until nothing is left of it.

Its arguments are the URL of the database, the encryption key in hexadecimal, and the seconds from use to
use. It writes one byte for every use that it got, at once: what it wrote before it was killed, it had.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from llmproxy.message import Principal
from llmproxy.store.engine import open_database
from llmproxy.store.leases import LeasedQuota
from llmproxy.store.threads import NoThreads

PATIENCE = 1.0
"""Seconds without a use after which nobody will hand one back any more."""


class _Clock(Clock):
    """Nothing is done at intervals here."""

    seconds = staticmethod(time.time)


def _now(deferred: Any) -> Any:
    result: list[Any] = []
    deferred.addBoth(result.append)
    if isinstance(result[0], Failure):
        result[0].raiseException()
    return result[0]


def main(url: str, key: bytes, pace: float) -> None:
    database = open_database(_Clock(), url, encryption_key=key, threads=NoThreads)
    _now(database.start())
    token = _now(database.tokens.get("t1"))
    if token is None:
        return
    principal = Principal(token, _now(database.projects.get(token.project_id)))
    quota = LeasedQuota(_Clock(), database)
    last = time.monotonic()
    while time.monotonic() - last < PATIENCE:
        spending = quota.spend(principal)
        if spending is None or spending.result is None:
            os.write(1, b".")
            time.sleep(pace)
            last = time.monotonic()
        else:
            spending.addErrback(lambda _: None)
            time.sleep(0.05)
    _now(quota.stop())
    _now(database.close())


if __name__ == "__main__":
    main(sys.argv[1], bytes.fromhex(sys.argv[2]), float(sys.argv[3]))
