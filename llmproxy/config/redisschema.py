"""The keys of C{redis}, and how each is read."""

from __future__ import annotations

import re
from typing import Any

import yaml

from ..core.redisoptions import parse_redis_url
from .document import Item
from .readers import NOTED, Reader, by, section
from .redis import RedisConfig, connections, key_prefix, patience
from .secretvalues import secret_value

_PASSWORD = re.compile(r"://[^/?@]*:([^/?]*)@|[?&]password=([^&]*)")


def url(item: Item) -> Any:
    """A URL, or what C{${NAME}} or C{file:/path} names; a password stands in none of the file."""
    raw = item.node.value if isinstance(item.node, yaml.ScalarNode) else ""
    text = item.text()
    if text is not None and text.startswith("file:"):
        text = secret_value(item)
    if not text:
        # ${REDIS_URL:-} of an environment without one.
        return NOTED if text is None else ""
    written = _PASSWORD.search(raw)
    if written is not None and "$" not in (written[1] or written[2] or "$"):
        item.problem("expected a variable where a password stands, as in url: ${REDIS_URL} (it is not shown)")
        return NOTED
    try:
        parse_redis_url(text)
    except ValueError as error:
        item.problem(str(error))
        return NOTED
    return text


REDIS_KEYS: dict[str, Reader] = {
    "url": url,
    "pool": by(connections),
    "timeout": by(patience),
    "prefix": by(key_prefix),
}


read_redis = section(RedisConfig, REDIS_KEYS)
