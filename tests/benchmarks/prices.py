"""
What prices cost: C{python -m tests.benchmarks.prices}.

The least time of many runs, beside what the library's own arithmetic takes for the same; what reading the book takes
once a process has everything else.
"""

from __future__ import annotations

import gc
import timeit
from pathlib import Path
from time import perf_counter

from twisted.internet.task import Clock

import llmproxy.app.proxy
from llmproxy.app.costs import Costs
from llmproxy.prices.book import Book
from llmproxy.usage import Usage
from tests.sinks.records import a_record

CASES = (
    ("openai", "gpt-4o", {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}),
    ("anthropic", "claude-sonnet-4-5", {"input_tokens": 900, "service_tier": "standard", "output_tokens": 50}),
    ("deepseek", "deepseek-chat", {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}),
)
RUNS, REPEATS = 1000, 50


def resident() -> float:
    """MiB."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


def least(call: object) -> float:
    """Microseconds."""
    return min(timeit.repeat(call, number=RUNS, repeat=REPEATS)) / RUNS * 1e6  # type: ignore[arg-type]


def main() -> None:
    assert llmproxy.app.proxy, "all that a proxy has"
    before, begun = resident(), perf_counter()
    Book().tariff("openai", "gpt-4o")
    print(f"reading the book: {perf_counter() - begun:.2f} s, {resident() - before:.0f} MiB")
    import genai_prices

    costs = Costs(Clock())
    for provider, model, raw in CASES:
        usage = Usage(1000, 100, None, 50, served_model=model, raw=raw)
        record = a_record(usage=usage, provider=provider)
        begun = perf_counter()
        costs.note(record)
        first = (perf_counter() - begun) * 1e3
        theirs = genai_prices.Usage(input_tokens=1000, cache_read_tokens=100, output_tokens=50)
        ours = least(lambda record=record: costs.note(record))
        library = least(
            lambda usage=theirs, name=(model, provider): genai_prices.calc_price(usage, name[0], provider_id=name[1])
        )
        print(f"{model}: {ours:.1f} us, the library {library:.0f} us; looked up in {first:.2f} ms: {record.cost} USD")


if __name__ == "__main__":
    main()
