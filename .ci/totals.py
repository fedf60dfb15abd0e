"""
Totals of a log of C{make test}: C{N passed, N failed, N skipped} of all runs of trial in it, as one line.

What failed is said again before it, in the words of trial, for those who see the end only.
Exits non-zero unless all that could be run passed. The servers that tests need are installed before; what is skipped
then needs Go, Node or a network.
"""

from __future__ import annotations

import re
import sys

_CLOSING = re.compile(r"^Ran \d+ tests in [\d.]+s\n+(?:PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
"""How trial ends a run."""

_FAULT = re.compile(r"^\[(?:FAIL|ERROR|SUCCESS!\?!)\]\n(?:.*\n)*?(?=={79}$|-{79}$)", re.MULTILINE)
"""What trial says of a test that failed, between two lines of its summary."""

_MOST_FAULTS = 20


def totals(text: str) -> tuple[int, int, int]:
    """Passed, failed (errors included) and skipped, of all closing lines in C{text}."""
    passed = failed = skipped = 0
    for counts in _CLOSING.findall(text):
        number = {name: int(value) for name, value in (part.split("=") for part in counts.split(", ") if part)}
        passed += number.get("successes", 0) + number.get("expectedFailures", 0)
        failed += number.get("failures", 0) + number.get("errors", 0) + number.get("unexpectedSuccesses", 0)
        skipped += number.get("skips", 0)
    return passed, failed, skipped


def faults(text: str) -> list[str]:
    """What trial says of each test that failed, in the order of the log."""
    return [found.group().rstrip() for found in _FAULT.finditer(text)]


def main(path: str, status: str) -> int:
    with open(path, encoding="utf-8", errors="replace") as log:
        text = log.read()
    passed, failed, skipped = totals(text)
    if status != "0" and not failed:
        # The linters or the types failed before any test could.
        failed = 1
    for fault in faults(text)[:_MOST_FAULTS]:
        print(fault, end="\n\n")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
