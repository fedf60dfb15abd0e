"""Shell patterns for the values of parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """
    One expression that matches what any of C{patterns} does, to be used with C{fullmatch}.

    C{*} is any text, C{/} included; C{?} one character; C{[a-z]} and C{[!a-z]} (also C{[^a-z]}) one of a set. A
    bracket that is never closed stands for itself. A C{*} never goes back to where an earlier one could have
    ended (C{fnmatch.translate}), so that no value can keep the process busy.
    """
    return re.compile("|".join(translate(pattern.replace("[^", "[!")) for pattern in patterns) or r"(?!)")
