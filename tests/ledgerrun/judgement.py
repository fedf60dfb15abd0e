"""
What the database has to say after a run.

 - An answer that a client had whole is there as complete, with the numbers that upstream gave.
 - One that is there as complete was answered whole by upstream.
 - Whatever upstream was asked for is there, once.
 - Sums over what is complete are those of upstream, and the roll-ups have the same.
 - Each token's C{request_count} is the number of its records that count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from .clients import Seen
from .upstream import Asked


@frozen
class Kept:
    """
    What the database has.

    @ivar records: the rows of C{usage_records}.
    @ivar counts: C{request_count} by token.
    @ivar rolled_up: requests, input and output tokens, of all roll-ups of one width.
    """

    records: list[Any]
    counts: Mapping[str, int]
    rolled_up: tuple[int, int, int]


@frozen
class Figures:
    """
    @ivar complete: exchanges that ended so, in the database.
    @ivar only_upstream: of these, those of which no client had the last byte.
    """

    sent: int
    asked: int
    whole: int
    complete: int
    only_upstream: int
    interrupted: int
    input: int
    output: int
    counted: int


def problems(seen: Seen, asked: Mapping[str, Asked], kept: Kept) -> list[str]:
    """What is not as it has to be; nothing if all is well."""
    by_name: dict[str, list[Any]] = {}
    for each in kept.records:
        by_name.setdefault(each.request_id, []).append(each)
    complete = {
        name: rows[0] for name, rows in by_name.items() if rows[0].ending == "complete" and rows[0].status == 200
    }
    return [
        *_each("is there more than once", (name for name, rows in by_name.items() if len(rows) > 1)),
        *_each("is there, and nobody sent it", by_name.keys() - seen.sent),
        *_each("came whole, and is not there as complete", seen.whole - complete.keys()),
        *_each("is there as complete, and upstream did not finish it", (n for n in complete if not asked[n].finished)),
        *_each("was asked of upstream, and is not there", asked.keys() - by_name.keys()),
        *_each(
            "has other numbers",
            (n for n, row in complete.items() if _numbers(row) != (asked[n].input, asked[n].output)),
        ),
        *_sums(complete, asked, kept),
        *_counts(kept),
    ]


def figures(seen: Seen, asked: Mapping[str, Asked], kept: Kept) -> Figures:
    complete = [each for each in kept.records if each.ending == "complete" and each.status == 200]
    return Figures(
        len(seen.sent),
        len(asked),
        len(seen.whole),
        len(complete),
        len({each.request_id for each in complete} - seen.whole),
        sum(each.ending == "interrupted" for each in kept.records),
        sum(each.input_tokens or 0 for each in complete),
        sum(each.output_tokens or 0 for each in complete),
        sum(each.counted for each in kept.records),
    )


def _numbers(row: Any) -> tuple[int | None, int | None]:
    return row.input_tokens, row.output_tokens


def _sums(complete: Mapping[str, Any], asked: Mapping[str, Asked], kept: Kept) -> Iterable[str]:
    upstream = tuple(sum(getattr(asked[name], each) for name in complete) for each in ("input", "output"))
    ours = tuple(sum(getattr(row, f"{each}_tokens") or 0 for row in complete.values()) for each in ("input", "output"))
    if ours != upstream:
        yield f"the sums are {ours}, upstream's are {upstream}"
    rows = kept.records
    wanted = (len(rows), sum(row.input_tokens or 0 for row in rows), sum(row.output_tokens or 0 for row in rows))
    if kept.rolled_up != wanted:
        yield f"the roll-ups say {kept.rolled_up}, the records {wanted}"


def _counts(kept: Kept) -> Iterable[str]:
    counted = Counter(each.token_id for each in kept.records if each.counted)
    for token_id, count in kept.counts.items():
        if count != counted[token_id]:
            yield f"request_count of {token_id} is {count}, and {counted[token_id]} of its records count"


def _each(words: str, names: Iterable[str]) -> Iterable[str]:
    found = sorted(names)
    if found:
        yield f"{len(found)} times: {', '.join(found[:5])}: {words}"
