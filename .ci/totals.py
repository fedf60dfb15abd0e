"""
Turn trial's closing line into C{N passed, N failed, N skipped}; exit non-zero unless all that could be run passed.

The servers that tests need are installed before; what is skipped then needs Go, Node or a network.
"""

from __future__ import annotations

import re
import sys


def totals(text: str) -> tuple[int, int, int]:
    """Passed, failed (errors included) and skipped, of the last closing line in C{text}."""
    found = re.findall(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", text, re.MULTILINE)
    counts = dict(part.split("=") for part in found[-1].split(", ") if part) if found else {}
    number = {name: int(value) for name, value in counts.items()}
    passed = number.get("successes", 0) + number.get("expectedFailures", 0)
    failed = number.get("failures", 0) + number.get("errors", 0) + number.get("unexpectedSuccesses", 0)
    return passed, failed, number.get("skips", 0)


def main(path: str, status: str) -> int:
    with open(path, encoding="utf-8", errors="replace") as log:
        passed, failed, skipped = totals(log.read())
    if status != "0" and not failed:
        # The linters or the types failed before any test could.
        failed = 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
