"""Lines of C{llmproxy check} about what is captured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..apisettings import CaptureSettings


def captured(settings: CaptureSettings | None) -> Iterator[str]:
    """What events have of what is said, if there is a sink for them."""
    if settings is None:
        return
    part = "" if settings.sample == 1 else f"of {settings.sample * 100:g} % of the exchanges, "
    yield f"captured: {part}{_bytes(settings.request)} of each request, {_bytes(settings.response)} of each answer"
    if settings.headers:
        yield f"captured fields: {', '.join(sorted(settings.headers))}"
    if settings.redact:
        rules = [f"an expression ({rule.text[:40]})" if rule.kind == "regex" else rule.text for rule in settings.redact]
        yield f"taken out of that: {', '.join(rules)}, and what looks like a secret"
    if settings.opt_out:
        yield "clients may ask not to be captured: X-LLMProxy-Capture: off"


def _bytes(size: int) -> str:
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} bytes" if size else "nothing"
