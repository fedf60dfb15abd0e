"""Several machines' worth of a proxy: processes of their own, on one database and one Redis."""

from __future__ import annotations

import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import evolve

from llmproxy.core.tokens import token_hash
from llmproxy.store.engine import open_database
from llmproxy.store.threads import NoThreads
from llmproxy.usagelimits import UNSET, UsageLimits

from ..ledgerrun.proxy import KilledProxy
from ..store.databases import clock_at, project, token
from .upstream import INPUT_PRICE, OUTPUT_PRICE

CONFIG = """\
default_api: llm
{shared}
prices:
  - {{api: llm, model: "m-1", input: {input}, output: {output}}}
apis:
  llm:
    base_url: http://127.0.0.1:{upstream}
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
    auth: none
    dialect: openai
"""

SECRETS = {name: f"sk-{chr(65 + number) * 22}" for number, name in enumerate(("rate", "parallel", "budget"))}
PARALLEL = 4


class Machine(KilledProxy):
    """@param redis: the port of the one that all of them have; C{None} where they share a database alone."""

    def __init__(self, directory: str, url: str, upstream: int, redis: int | None, workers: int, seed: int) -> None:
        os.makedirs(directory, exist_ok=True)
        super().__init__(directory, url, upstream, workers, seed)
        shared = "usage_limits: {on_store_failure: closed, budget_leases: true}"
        if redis is not None:
            shared = f'redis: {{url: "redis://127.0.0.1:{redis}/0"}}\nusage_limits: {{on_store_failure: closed}}'
        text = CONFIG.format(upstream=upstream, shared=shared, input=INPUT_PRICE, output=OUTPUT_PRICE)
        Path(directory, "apis.yaml").write_text(text)


def prepare(url: str, budget: Decimal, hard: bool) -> None:
    """A token for each kind of limit."""
    database = open_database(clock_at(time.time()), url, threads=NoThreads)
    now(database.start())
    now(database.projects.create(project(api_keys={})))
    limits = {
        "rate": UsageLimits(rpm_limit=100),
        "parallel": UsageLimits(max_parallel_requests=PARALLEL),
        "budget": UsageLimits(max_budget=budget, hard_budget=hard or UNSET),
    }
    for name, secret in SECRETS.items():
        made = token(name, token_hash=token_hash(secret.encode()), expires_at=None, max_requests=None)
        now(database.tokens.create(evolve(made, limits=limits[name])))
    now(database.close())


def now(deferred: Any) -> Any:
    """The result of what has ended."""
    result: list[Any] = []
    deferred.addCallbacks(result.append, lambda reason: reason.raiseException())
    return result[0]
