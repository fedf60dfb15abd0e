"""
The lowest versions that C{setup.cfg} allows, as requirements for pip: C{python tests/lowest.py FILE}.

Only what the proxy itself stands on is held at its lowest; what the tests add has to be as new as it needs.
"""

from __future__ import annotations

import sys
from configparser import ConfigParser
from pathlib import Path

SETUP = Path(__file__).resolve().parents[1] / "setup.cfg"


def requirements(text: str) -> list[str]:
    """C{install_requires}, C{test} and C{docs} of a C{setup.cfg}, the first as exact versions."""
    parser = ConfigParser()
    parser.read_string(text)
    exact = [line.replace(">=", "==", 1) for line in parser["options"]["install_requires"].split("\n") if line]
    extras = parser["options.extras_require"]
    return exact + [line for name in ("test", "docs") for line in extras.get(name, "").split("\n") if line]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(requirements(SETUP.read_text())) + "\n")
