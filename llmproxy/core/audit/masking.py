"""
No secret in an audit record.

Callers are not to note any; this is for what slips through: a key in a field that is named for one, a token
that somebody sent as an id, in a path, or as the name of a program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASKED = "[masked]"

_NAMED = re.compile(r"(?:^|[_-])(?:key|secret|password|token|authorization|cookie|credential)s?$", re.IGNORECASE)
_NO_SECRETS = frozenset({"cache_key"})
"""Names that look like those of secrets and are none."""

_LOOKS_LIKE = re.compile(
    r"""
      \b(?:sk|pk|rk|gsk|xai|llmproxy_admin)[-_][A-Za-z0-9_-]{6,}   # ours, and most vendors'
    | \bAIza[A-Za-z0-9_-]{12,}                                # Google's
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?  # a JSON web token
    | (?<=bearer\s)[^\s,;"]+
    | (?<=basic\s)[A-Za-z0-9+/=]{8,}
    | (?<=[?&]key=)[^&\s"]+ | (?<=token=)[^&\s"]+ | (?<=api_key=)[^&\s"]+
    """,
    re.IGNORECASE | re.VERBOSE,
)


class Masking:
    """
    @param known: secrets of this process, masked wherever they stand.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        # A short one would be found in texts that have nothing to do with it.
        words = sorted((re.escape(secret) for secret in known if len(secret) >= 8), key=len, reverse=True)
        self._known = re.compile("|".join(words)) if words else None

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASKED, text)
        return _LOOKS_LIKE.sub(MASKED, text)

    def values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same values, without those that are secrets by their name, and the texts without what looks like one."""
        return {self.text(str(name)): self._value(str(name), value) for name, value in values.items()}

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self.values(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._value(name, each) for each in value]
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if _NAMED.search(name) and name not in _NO_SECRETS:
            return MASKED
        return self.text(str(value))
