"""Rendering of templates: Jinja2, everything escaped, and nothing that is missing passed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.bccache import Bucket
from markupsafe import Markup

from .. import __version__
from .charts import bars, lines, meter
from .formats import Formats
from .static import StaticFiles
from .visit import Entry


class JsonEnvironment(Environment):
    """
    Templates over values of JSON: a member that is not there is none, as the API leaves out what says nothing. A name
    that a view forgot to give is an error.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        if not isinstance(obj, dict):
            return super().getattr(obj, attribute)
        # A member before a method: nobody knows what the next thing is called.
        return obj[attribute] if attribute in obj else getattr(obj, attribute, None)


class _Compiled(BytecodeCache):
    """Templates are compiled once for a process, however often its configuration is read again."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, CodeType | None]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self._found.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._found[bucket.key] = bucket.checksum, bucket.code


_COMPILED = _Compiled()


class Renderer:
    """
    @param base: where the pages are, C{/admin}.
    @param navigation: of all pages.
    @cvar undefined: what a name is that a view forgot to give.
    """

    undefined = StrictUndefined

    def __init__(self, base: str, static: StaticFiles, navigation: Sequence[Entry]) -> None:
        self._environment = environment = JsonEnvironment(
            loader=PackageLoader("llmproxy.admin", "templates"),
            autoescape=True,
            undefined=self.undefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=_COMPILED,
        )
        environment.globals |= {
            "base": base,
            "static": lambda name: f"{base}/static/{static.names[name]}",
            "version": __version__,
            "navigation": sorted(navigation, key=lambda entry: (entry.order, entry.label)),
            "bars": bars,
            "lines": lines,
            "meter": meter,
        }
        for name in _FILTERS:
            environment.filters[name] = self._filter(name)
        self._forms: Formats | None = None

    def render(self, template: str, forms: Formats, context: Mapping[str, Any]) -> str:
        """
        A page as HTML.

        @param forms: the filters C{number}, C{money}, C{moment} and so on.
        """
        # A page is rendered in one go; macros have no context that this could stand in.
        self._forms = forms
        try:
            return self._environment.get_template(template).render(context)
        finally:
            self._forms = None

    def _filter(self, name: str) -> Callable[..., str | Markup]:
        # With the context, though it is not looked at: else what is made of a constant would be kept, as the first
        # reader has it.
        @pass_context
        def apply(context: Any, value: Any, *more: Any) -> str | Markup:
            made: str | Markup = getattr(self._forms, name)(value, *more)
            return made

        return apply


_FILTERS = ("number", "compact", "money", "percent", "size", "seconds", "moment", "day", "ago", "span", "tick")
"""Methods of L{Formats}."""
