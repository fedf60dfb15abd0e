"""Upstream keys of a change: by API, checked, as the store takes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..errors import Unprocessable
from .checks import check_api_key

Keys = Mapping[str, "str | Sequence[str] | None"]
"""By API, as they are given: one key, several, or C{None} to take them away."""

Change = dict[str, "tuple[str, ...] | None"]
"""Keys that take the place of those for an API; C{None} for none."""


def keys_of(
    api_key: str | None,
    api_keys: Keys,
    default_api: str,
    known: Collection[str],
    held: Collection[str] = (),
) -> Change:
    """
    @param api_key: that for the default API, C{None} or C{""} if it is not given.
    @param known: the names of the APIs that there are.
    @param held: the names of those that the project has keys for: what was taken out of the configuration can be
        taken away here too.
    @raise BadRequest: one is what we show instead of a key.
    @raise Unprocessable: there is no such API, or two things are said of one.
    """
    found: Change = {api: _listed(given) for api, given in api_keys.items()}
    if api_key:
        if default_api in found:
            raise Unprocessable(f"api_key is that of {default_api!r}: give one of them", message="two keys for one API")
        found[default_api] = (api_key,)
    for api, keys in found.items():
        if api not in known and not (keys is None and api in held):
            raise Unprocessable(f"unknown API {api!r} (known: {', '.join(sorted(known))})", message="unknown API")
        for key in keys or ():
            check_api_key(key)
        if keys is not None and len(set(keys)) < len(keys):
            raise Unprocessable(f"the keys for {api!r} hold one twice", message="the same key twice")
    return found


def _listed(given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)
