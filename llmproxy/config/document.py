"""
A YAML document whose every value knows where it stands.

The nodes that PyYAML composes are walked instead of the objects that it constructs: nodes keep
their line and column, no tag can make an object, and a key that stands twice is seen. Aliases
are followed only as far as a schema asks for values, and no further than L{MAX_VALUES}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml
from attrs import define, field, frozen

from .problems import Problems, unknown
from .units import parse_flag

MAX_FILE = 1 << 20
"""Bytes; the largest configurations of the reference have a few KiB."""

MAX_VALUES = 50_000
"""Values read from one document, those repeated by an alias counted each time."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CORE = "tag:yaml.org,2002:"
_TAGS = frozenset(_CORE + tag for tag in ("str", "int", "float", "bool", "null", "timestamp", "value", "map", "seq"))
_MERGE = _CORE + "merge"
_VARIABLE = re.compile(r"\$\$|\$\{([^}]*)\}|\$\{")
_PLAIN = r"""(?:[^'"\[\]{},#:\n\\]|:(?![ ]))"""
_UNQUOTED = re.compile(
    rf"([:,\[{{][ ]+|\[)((?:(?![ ]){_PLAIN}*)\$\{{[A-Za-z_][A-Za-z0-9_]*\}}{_PLAIN}*(?<![ ]))(?=[ ]*[,\]}}])"
)
"""A value in a flow of YAML that has a variable in it, and no quotes."""

_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class TooMuch(Exception):
    """The aliases of a document expand to more than L{MAX_VALUES} values."""


@define(eq=False)
class Document:
    """
    One file that is being read.

    @ivar env: what C{${NAME}} is taken from.
    @ivar files: where the paths of other files are noted that are read for it.
    @ivar is_pasted: it is somebody's text, of whom nothing is known: no variable is replaced, no file touched, and what
        they would stand for is as good as anything.
    """

    problems: Problems
    env: Mapping[str, str] = field(repr=False)
    values: int = 0
    files: set[str] = field(factory=set)
    is_pasted: bool = False

    def count(self) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise TooMuch


@frozen(eq=False)
class Item:
    """One value of a document: asked for as what it should be, it answers C{None} and has noted why it is not."""

    document: Document
    node: yaml.Node
    path: str

    @property
    def position(self) -> tuple[int, int]:
        mark = self.node.start_mark
        return mark.line + 1, mark.column + 1

    def problem(self, text: str) -> None:
        if self.stands_for_another:
            # Nobody knows what: nor is it missing.
            self.document.problems.paths.add(self.path)
            return
        self.document.problems.add(self.path, text, self.position)

    @property
    def stands_for_another(self) -> bool:
        """It is pasted, and names a variable or a file whose content is the value."""
        if not self.document.is_pasted or not isinstance(self.node, yaml.ScalarNode):
            return False
        return "${" in self.node.value or self.node.value.startswith("file:")

    @property
    def is_null(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag == _CORE + "null"

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def is_text(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and not self.is_null

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    def text(self, expected: str = "a text") -> str | None:
        """Any scalar as it is written, with its variables replaced; of anything else it is noted what it should be."""
        if not self._has_kind(yaml.ScalarNode, expected):
            return None
        return self._interpolate(self.node.value)

    def boolean(self) -> bool | None:
        text = self.text("true or false")
        if text is None:
            return None
        try:
            return parse_flag(text)
        except ValueError as error:
            self.problem(str(error))
            return None

    def items(self) -> list[Item]:
        """The values of a sequence."""
        if not self._has_kind(yaml.SequenceNode, "a list"):
            return []
        return [self._child(node, f"{self.path}[{index}]") for index, node in enumerate(self.node.value)]

    def mapping(self) -> dict[str, Item]:
        """The values of a mapping by their keys; C{<<} is merged in."""
        if not self._has_kind(yaml.MappingNode, "a mapping of keys to values"):
            return {}
        assert isinstance(self.node, yaml.MappingNode)
        return self._pairs(self.node, 0)

    def known(self, *keys: str) -> dict[str, Item]:
        """The same, for a mapping of which all possible keys are known."""
        found = self.mapping()
        for key in found.keys() - set(keys):
            self.document.problems.add(found[key].path, unknown(key, keys), found[key].position)
        return {key: item for key, item in found.items() if key in keys}

    def _child(self, node: yaml.Node, path: str) -> Item:
        self.document.count()
        return Item(self.document, node, path)

    def _has_kind(self, kind: type[yaml.Node], expected: str) -> bool:
        if self.node.tag not in _TAGS:
            self.problem(f"the tag {self.node.tag!r} is not allowed here, expected {expected}")
            return False
        if self.is_null or not isinstance(self.node, kind):
            self.problem(f"expected {expected}, got {_describe(self.node)}")
            return False
        return True

    def _pairs(self, node: yaml.MappingNode, depth: int) -> dict[str, Item]:
        own: dict[str, Item] = {}
        merged: dict[str, Item] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                self._merge(merged, value, depth)
            elif not isinstance(key, yaml.ScalarNode):
                self._child(key, self.path).problem(f"expected a text as key, got {_describe(key)}")
            elif key.value in own:
                self._child(key, self.below(key.value)).problem("this key stands here a second time")
            else:
                own[key.value] = self._child(value, self.below(key.value))
        return merged | own

    def _merge(self, into: dict[str, Item], node: yaml.Node, depth: int) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            # A mapping that merges itself has no end.
            if not isinstance(source, yaml.MappingNode) or depth > 20:
                self._child(source, self.below("<<")).problem("expected a mapping, or a list of mappings, to merge")
                return
            for key, item in self._pairs(source, depth + 1).items():
                into.setdefault(key, item)

    def below(self, key: str) -> str:
        """The path of what a key of this mapping has."""
        return f"{self.path}.{key[:80]}" if self.path else key[:80]

    def _interpolate(self, text: str) -> str | None:
        if "$" not in text or self.document.is_pasted:
            return text
        missing: list[str] = []

        def replace(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            name = _NAME.fullmatch(match[1] or "")
            if name is None:
                missing.append("expected ${NAME} or ${NAME:-default}, and $$ for a dollar sign")
                return ""
            value = self.document.env.get(name[1], "") or name[2]
            if value is None:
                missing.append(f"the environment variable {name[1]} is not set (${{{name[1]}:-value}} gives a default)")
                return ""
            return value

        result = _VARIABLE.sub(replace, text)
        for sentence in missing:
            self.problem(sentence)
        return None if missing else result


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "nothing" if node.tag == _CORE + "null" else repr(node.value[:80])


def read(path: str, problems: Problems) -> str | None:
    """The text of a file; C{None} if it cannot be read, and why is noted."""
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            problems.add("", f"is larger than {MAX_FILE} bytes")
            return None
        return content.decode("utf-8-sig")
    except OSError as error:
        problems.add("", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        problems.add("", "is not UTF-8", (line, column))
    return None


def compose(
    text: str, problems: Problems, env: Mapping[str, str], files: set[str] | None = None, is_pasted: bool = False
) -> Item | None:
    """
    The root of the document in C{text}; C{None} if it is no YAML or empty, and why is noted.

    @param files: where the paths of other files are noted that are read for it.
    @param is_pasted: see L{Document}.
    """
    try:
        node = _node(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        sentence = ", ".join(part for part in (error.context, error.problem) if part)
        problems.add("", f"is not valid YAML: {sentence}", (mark.line + 1, mark.column + 1) if mark else None)
    except (yaml.YAMLError, RecursionError) as error:
        problems.add("", f"is not valid YAML: {str(error).splitlines()[0]}")
    else:
        if node is not None:
            return Item(Document(problems, env, files=set() if files is None else files, is_pasted=is_pasted), node, "")
        problems.add("", "is empty")
    return None


def _node(text: str) -> yaml.Node | None:
    """
    In C{{secret: ${NAME}}} YAML takes the brace for the beginning of a mapping, and people write it so all the same:
    where a text is no YAML, it is tried with quotes around such values.
    """
    try:
        return _parsed(text)
    except yaml.MarkedYAMLError as error:
        quoted = _UNQUOTED.sub(r'\1"\2"', text) if "${" in text else text
        if quoted == text:
            raise
        try:
            return _parsed(quoted)
        except yaml.YAMLError:
            raise error from None


def _parsed(text: str) -> yaml.Node | None:
    loader = None
    try:
        loader = _LOADER(text)
        node: yaml.Node | None = loader.get_single_node()
        return node
    finally:
        if loader is not None:
            loader.dispose()
