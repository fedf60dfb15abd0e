"""The figures of the Go program's benchmark: what it counts, how it adds up, and the table that scripts read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

WIDTH = 50
_BORDER = "+" + "-" * (WIDTH - 2) + "+"


@frozen
class Asked:
    """
    One request.

    @ivar seconds: from its beginning to the end of its answer.
    @ivar status: 0 where there was none.
    @ivar upstream: seconds that upstream took of it; 0 where nobody says.
    @ivar is_hit: the cache answered.
    @ivar failure: why there was no answer.
    """

    seconds: float
    status: int
    upstream: float = 0.0
    is_hit: bool = False
    failure: str = ""

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def proxy(self) -> float:
        """Seconds that were not upstream's; 0 where that is not known."""
        return self.seconds - self.upstream if self.upstream else 0.0


@define
class Figures:
    """@ivar seconds: of the whole run."""

    concurrency: int
    seconds: float
    asked: list[Asked] = field(factory=list)

    @property
    def failed(self) -> int:
        return sum(not each.succeeded for each in self.asked)

    @property
    def hits(self) -> int:
        return sum(each.is_hit for each in self.asked)


def table(figures: Figures, cache: bool = False) -> Iterator[str]:
    """
    Lines.

    @param cache: hits were asked for.
    """
    count, good = len(figures.asked), [each for each in figures.asked if each.succeeded]
    yield _BORDER
    yield _row("Total requests", str(count))
    yield _row("Concurrency", str(figures.concurrency))
    yield _row("Duration (s)", f"{figures.seconds:.2f}")
    yield _row("Success", str(len(good)))
    yield _row("Failed", str(figures.failed))
    yield _row("Requests/sec", f"{count / figures.seconds if figures.seconds else 0.0:.2f}")
    took = sorted(each.seconds for each in good)
    for name, value in _summary(took):
        yield _row(f"{name} latency", _words(value))
    if cache:
        yield _row("Cache hits", str(figures.hits))
    if good:
        yield from _parts("Upstream latency", sorted(each.upstream for each in good if each.upstream > 0))
        yield from _parts("Proxy latency", sorted(each.proxy for each in good if each.proxy > 0))
    yield _BORDER
    yield f"| {'Response code':21}{'':26}|"
    for status, number in sorted(Counter(each.status for each in figures.asked).items()):
        yield _row(str(status) if status else "Network error", str(number))
    yield _BORDER


def _row(name: str, value: str) -> str:
    return f"| {name:21} | {value:22} |"


def _parts(name: str, took: Sequence[float]) -> Iterator[str]:
    if not took:
        yield _row(name, "N/A")
        return
    for each, value in _summary(took):
        yield _row(f"{name} {each.lower()}", _words(value))


def _summary(took: Sequence[float]) -> list[tuple[str, float]]:
    """
    Mean, least, most, the 90th percentile, and the mean of those below it.

    @param took: sorted.
    """
    if not took:
        return [(name, 0.0) for name in ("Avg", "Min", "Max", "p90", "p90 mean")]
    at = int(len(took) * 0.9)
    fast = took[: max(at, 1)]
    values = (sum(took) / len(took), took[0], took[-1], took[max(at - 1, 0)], sum(fast) / len(fast))
    return list(zip(("Avg", "Min", "Max", "p90", "p90 mean"), values, strict=True))


def _words(seconds: float) -> str:
    if not seconds:
        return "0"
    if seconds >= 1:
        return f"{seconds:.3f}s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.3f}ms"
    return f"{seconds * 1e6:.3f}µs"
