"""Capture of one API, as the configuration says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from ..apisettings import CaptureSettings
from ..origin import CredentialPlace


def _tuple(values: Iterable[Any]) -> Any:
    # Anything else is wrong, and is found so by the readers of a file.
    is_list = isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping))
    return tuple(values) if is_list else values


@frozen
class CaptureConfig:
    """
    What one API says of capture, see L{CaptureSettings}.

    @ivar enabled: C{False} captures nothing, whatever C{OBSERVABILITY_ENABLED} says.
    @ivar redact: paths, names of patterns, and mappings C{{"regex": ...}}.
    """

    enabled: bool = True
    request: int = 64 * 1024
    response: int = 256 * 1024
    headers: tuple[str, ...] = field(default=(), converter=_tuple)
    sample: float = 1.0
    redact: tuple[str | Mapping[str, str], ...] = field(default=(), converter=_tuple)
    opt_out: bool = False

    def credentials(self, places: Iterable[CredentialPlace]) -> list[str]:
        """
        Those of C{headers} that carry a credential.

        @param places: where the API wants its keys.
        """
        from ..core.redaction.names import is_credential

        own = {place.name.decode("latin-1").lower() for place in places if place.kind == "header"}
        return [name for name in self.headers if is_credential(name.lower()) or name.lower() in own]

    def settings(self) -> CaptureSettings | None:
        """C{None} for an API that is not captured."""
        if not self.enabled or not self.sample:
            return None
        from ..core.redaction.rules import rule_of

        headers = frozenset(name.lower() for name in self.headers)
        rules = tuple(map(rule_of, self.redact))
        return CaptureSettings(self.request, self.response, headers, self.sample, rules, self.opt_out)
