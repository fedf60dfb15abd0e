"""
What a C{param_whitelist} costs: C{python -m tests.benchmarks.inspecting}.

Chats and one long text of several sizes, as libraries write them, are inspected for their model as they are found at
once where that is possible, in order (which any document may need), and parsed by C{json.loads}, in turn in each round;
figures are the least of the rounds'.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from llmproxy.core.inspection.jsonbody import in_order, inspection
from llmproxy.core.inspection.steps import finish
from llmproxy.core.inspection.whitelist import Whitelist

ROUNDS, BYTES = 7, 2_000_000
ROOT = Whitelist.compile({"model": ["gpt-*"]}).root
SENTENCE = 'Please tell me "something" about the weather in \nVienna, and why it is so. '


def bodies() -> Iterator[tuple[str, bytes]]:
    for count in (1, 5, 50, 500, 3500):
        messages = [{"role": "user" if each % 2 else "assistant", "content": SENTENCE * 3} for each in range(count)]
        said = {"model": "gpt-4o", "messages": messages, "temperature": 0.5, "stream": True}
        yield f"a chat of {count}", json.dumps(said, separators=(",", ":")).encode()
    yield "one text", json.dumps({"model": "gpt-4o", "input": SENTENCE * 12_000}).encode()


def microseconds(work: Callable[[], object], count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - began) / count * 1e6


def main() -> None:
    print("| | bytes | inspected, µs | in order | json.loads | to json.loads |\n|---|---|---|---|---|---|")
    for name, body in bodies():
        works: list[Callable[[], object]] = [
            lambda body=body: finish(inspection(body, ROOT)),  # type: ignore[misc]
            lambda body=body: finish(in_order(body, ROOT)),  # type: ignore[misc]
            lambda body=body: json.loads(body),  # type: ignore[misc]
        ]
        count = max(1, BYTES // len(body) // 4)
        rounds = [[microseconds(work, count) for work in works] for _ in range(ROUNDS)]
        found, ordered, parsed = (min(times) for times in zip(*rounds, strict=True))
        print(f"| {name} | {len(body):,} | {found:,.0f} | {ordered:,.0f} | {parsed:,.0f} | {found / parsed:.2f} × |")


if __name__ == "__main__":
    main()
