"""A configuration as it is shown: every value, but no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

from attrs import Attribute, fields, has

from ..core.masking import MASKED
from ..usagelimits import UNSET

_CREDENTIALS = re.compile(r"(?<=://)[^/?#]*@|(?<=[?&])(?:user|username|password|key|token)=[^&]*", re.IGNORECASE)


def shown(value: Any) -> Any:
    """
    Values that JSON knows. A field that no C{repr} shows holds a secret: of a URL all but its credentials is
    shown, of a mapping its names.
    """
    if callable(value):
        return None
    if has(type(value)):
        found = [(each, getattr(value, each.name)) for each in fields(type(value))]
        # What nobody has said is left out: null is something else there, no limit.
        return {each.name: _field(each, one) for each, one in found if one is not UNSET}
    if isinstance(value, Mapping):
        return {str(name): shown(each) for name, each in value.items()}
    if isinstance(value, Set):
        return sorted(shown(each) for each in value)
    if isinstance(value, bytes):
        return MASKED
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [shown(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def without_credentials(url: str) -> str:
    """A URL without what only its owner knows."""
    return _CREDENTIALS.sub(lambda found: f"{MASKED}@" if found[0].endswith("@") else MASKED, url)


def _field(of: Attribute[Any], value: Any) -> Any:
    if of.repr is not False or not value:
        return shown(value)
    if isinstance(value, Mapping):
        return dict.fromkeys(map(str, value), MASKED)
    return without_credentials(value) if isinstance(value, str) and "://" in value else MASKED
