"""The verdict on the clock: whether it is kept right, whether it jumps, and how far it is from those of others."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from .findings import Finding, fault, note, ok, warning
from .words import span_words

APART = 1.0
FAR_APART = 30.0
"""Seconds: windows of rates are a minute, and an overlap of tokens or a lease ends by the clock of who looks."""

JUMP = 0.5
"""Seconds that the time of day moved beside a clock that nobody sets, while the checks ran."""


@frozen
class SkewFacts:
    """@ivar ahead: seconds that its clock is before ours; what the question took is taken out."""

    label: str
    ahead: float


@frozen
class ClockFacts:
    """
    @ivar kept: whether the kernel says that the clock is kept right (NTP); C{None} if it does not say.
    @ivar jumped: seconds that it was set while the checks ran.
    @ivar year: what it says.
    @ivar skews: the clocks of others.
    @ivar newest: seconds that the newest record in the database is before now; negative for one of the future.
    """

    kept: bool | None = None
    jumped: float = 0.0
    year: int = 2026
    skews: tuple[SkewFacts, ...] = ()
    newest: float | None = None


def judge_clock(facts: ClockFacts) -> Iterator[Finding]:
    """Whether times mean the same everywhere."""
    if facts.year < 2026:
        yield fault(f"the clock says the year {facts.year}", "set it: tokens and certificates go by it")
    if abs(facts.jumped) >= JUMP:
        says = f"the clock was set by {span_words(facts.jumped)} while this ran"
        yield warning(says, "have one program alone keep it (chrony, systemd-timesyncd), by slewing")
    if facts.newest is not None and facts.newest < -APART:
        says = f"the newest record in the database is {span_words(-facts.newest)} in the future"
        yield warning(says, "the clock was set back, or that of another machine is ahead: see both")
    for skew in facts.skews:
        yield _of_skew(skew)
    if facts.kept is False:
        yield warning("the kernel says that nothing keeps the clock right", "run chrony or systemd-timesyncd")
    elif facts.kept is None:
        yield note("the kernel does not say whether the clock is kept right")
    else:
        yield ok("the clock is kept right")


def _of_skew(skew: SkewFacts) -> Finding:
    where = "ahead of" if skew.ahead >= 0 else "behind"
    says = f"{skew.label}: its clock is {span_words(abs(skew.ahead))} {where} this one"
    mend = "have both keep the time by NTP: leases, windows and expiry go by it"
    if abs(skew.ahead) >= FAR_APART:
        return fault(says, mend)
    return warning(says, mend) if abs(skew.ahead) >= APART else ok(says)
