"""
What the two entries of an exchange in the ledger cost: C{python -m tests.benchmarks.ledger}.

The directory decides what the first write to a page costs, so it is an argument.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from statistics import median
from time import perf_counter

from llmproxy.ledger.files import SEGMENT_SIZE
from llmproxy.record import Record
from llmproxy.usage import Usage

from ..ledgercase import ledger_in

COUNT = 20_000
RAW = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 2}}
USED = Usage(10, 2, None, 5, 4, served_model="gpt-4o-mini-2024-07-18", raw=RAW)


def a_record() -> Record:
    record = Record("r-0123456789", "POST", "/v1/chat/completions", "192.0.2.1", 1_800_000_000.0, "OpenAI/Python 2.1")
    record.token_id, record.project_id = "0b9f2c3e-token", "5d1c7a90-project"
    record.api, record.endpoint, record.upstream, record.provider = "openai", "/v1/chat/completions", "openai", "openai"
    record.model, record.usage, record.status, record.ended = "gpt-4o-mini", USED, 200, "complete"
    record.counted = True
    return record


def main(directory: str) -> None:
    gc.disable()
    begin, end = [], []
    with tempfile.TemporaryDirectory(dir=directory) as where:
        ledger = ledger_in(where)
        ledger.files.size = SEGMENT_SIZE
        ledger.files._most = 1 << 30
        for record in [a_record() for _ in range(COUNT)]:
            started = perf_counter()
            ledger.begin(record, leased=False)
            begun = perf_counter()
            ledger.end(record)
            begin.append(begun - started)
            end.append(perf_counter() - begun)
        size = ledger.journal.waiting_bytes / COUNT
        ledger.journal.close()
    for name, took in (
        ("goes on", begin),
        ("has ended", end),
        ("both", [a + b for a, b in zip(begin, end, strict=True)]),
    ):
        most = sorted(took)[COUNT * 9 // 10]
        print(f"{name}: median {median(took) * 1e6:.1f} µs, nine of ten within {most * 1e6:.1f} µs")
    print(f"{size:.0f} bytes an exchange")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
