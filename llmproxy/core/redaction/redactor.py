"""A redactor: what one API has taken out of its contents, and what is taken out of all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ...apisettings import RedactRule
from ..masking import MASKED, Masking
from .jsonpath import JsonPath, json_path, without
from .names import is_secret, may_login, may_name, without_assigned, without_quoted
from .patterns import BUILT_IN, MARK, MAY_FIND, Clean
from .rules import TooSlow, expression_of
from .texts import LEAST_DATA, data_in, pieces

WITHIN = 0.5
"""Seconds that expressions have for one content; a search that takes longer finds no end."""

ALL_WITHIN = 2.0
"""Seconds for all of it: what takes longer was made to."""

_LOGPROBS = frozenset({"logprobs", "logprobs_result", "logprobsResult"})
"""Members that say a text again, in pieces."""

_LEAST_NUMBER = 1_000_000
_ESCAPE = re.compile(r"(\\+(?:u[0-9a-fA-F]{4}|[^\\]))")
_NUMBERS = frozenset({int, float})
_MANY = 16
_LONGEST_KEY = 64
_MOST_KEYS = 2048
_LONGEST_AT_ONCE = 16 * 1024


class Redactor:
    """
    Built-in patterns and expressions are looked for in every text, those of merged answers whole; in names of members
    and in numbers too. Secrets are masked always, whether there are rules or not.

    @param masking: takes the secrets of this process, and what looks like one, out of texts.
    @param seconds: of any steady clock: expressions have L{WITHIN} of them for each content.
    """

    def __init__(self, rules: Sequence[RedactRule], masking: Masking, seconds: Callable[[], float]) -> None:
        self._rules = _Rules(
            tuple(json_path(rule.text) for rule in rules if rule.kind == "path"),
            tuple(BUILT_IN[rule.text] for rule in rules if rule.kind == "pattern"),
            tuple(MAY_FIND.get(rule.text) for rule in rules if rule.kind == "pattern"),
            tuple(expression_of(rule) for rule in rules if rule.kind == "regex"),
            masking,
        )
        self._seconds = seconds

    @property
    def needs_structure(self) -> bool:
        """There are paths: what cannot be read as JSON cannot be redacted."""
        return bool(self._rules.paths)

    def is_clean(self, text: str) -> bool:
        """
        Whether nothing but what paths lead to is to be taken out of a JSON text, whatever it says: most have nothing
        that could be a secret or named for one, and need not be looked at text by text.
        """
        rules = self._rules
        if rules.expressions or "\\u" in text:
            return False
        if "\\" in text:
            text = text.replace('\\"', '"').replace("\\/", "/").replace("\\\\", "\\")
        for may_find in rules.may_find:
            if may_find is None or may_find(text):
                return False
        lowered = text.lower()
        if "'" in lowered:
            lowered = lowered.replace("'", '"')
        return not (
            rules.masking.may_hold(text, lowered)
            or may_name(lowered)
            or may_login(text)
            or _repeats(text)
            or (len(text) >= LEAST_DATA and max(map(len, text.replace('"', " ").split())) >= LEAST_DATA)
        )

    def without_paths(self, value: Any) -> Any:
        """The same without what paths lead to; C{value} may be changed."""
        for path in self._rules.paths:
            value = without(value, path, MARK)
        return value

    def redacted(self, value: Any, *, in_pieces: bool = False, is_cut: bool = False) -> Any:
        """
        The same without what is to be taken out; C{value} may be changed.

        @param in_pieces: it is a list of events that nobody has merged, whose texts may go on from one to the next.
        @param is_cut: texts may end amid a secret.
        @raise TooSlow: an expression was not done in its time: nothing may be shown of it.
        @raise RecursionError: it is nested too deeply, likewise.
        """
        run = _Run(self._rules, self._seconds, is_cut)
        for path in self._rules.paths:
            # What was not merged is one document for each event.
            if in_pieces:
                for event in value:
                    event["data"] = without(event["data"], path, MARK)
        value = self.without_paths(value)
        if in_pieces:
            run.join(value)
        return run.value(value)

    def text(self, text: str) -> str:
        """Likewise of a text alone: a header field, or a body that is no JSON, where names of secrets may stand too."""
        return _Run(self._rules, self._seconds).text(without_assigned(text))


class _Rules:
    """@ivar keys: names of members, as they are shown; they come again and again."""

    def __init__(
        self,
        paths: tuple[JsonPath, ...],
        patterns: tuple[Clean, ...],
        may_find: tuple[Callable[[str], object] | None, ...],
        expressions: tuple[Callable[[str, float], str], ...],
        masking: Masking,
    ) -> None:
        self.paths = paths
        self.patterns = patterns
        self.may_find = may_find
        self.expressions = expressions
        self.masking = masking
        self.keys: dict[str, str] = {}


class _Run:
    """One content that is redacted."""

    __slots__ = ("_is_cut", "_left", "_rules", "_seconds", "_until")

    def __init__(self, rules: _Rules, seconds: Callable[[], float], is_cut: bool = False) -> None:
        self._rules = rules
        self._seconds = seconds
        self._is_cut = is_cut
        self._until = seconds() + ALL_WITHIN
        self._left = WITHIN

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._name(name): self._member(name, each) for name, each in value.items()}
        if isinstance(value, list):
            return value if self._are_numbers(value) else [self.value(each) for each in value]
        if type(value) in (int, float) and self._looks and abs(value) >= _LEAST_NUMBER:
            return value if self.text(str(value)) == str(value) else MARK
        return value

    def text(self, text: str) -> str:
        if not text:
            return text
        said = data_in(text)
        if said is not None:
            return said
        if text[0] in "{[" and ("\\u" in text or may_name(text.lower())):
            text = self._within(text)
        text = without_quoted(text)
        if len(text) > _LONGEST_AT_ONCE:
            text = "".join([self._piece(piece) for piece in pieces(text)])
        else:
            text = self._piece(text)
        if self._is_cut:
            text = self._rules.masking.without_end(text)
        for clean in self._rules.expressions:
            begun = self._seconds()
            text = clean(text, self._left)
            self._left -= self._seconds() - begun
        return text

    def _are_numbers(self, values: list[Any]) -> bool:
        """Whether nothing in a list could be of interest, as in embeddings; they have thousands."""
        if len(values) < _MANY or not _NUMBERS.issuperset(map(type, values)):
            return False
        return not self._looks or (max(values) < _LEAST_NUMBER and min(values) > -_LEAST_NUMBER)

    def _within(self, text: str) -> str:
        """A text that is JSON itself, as the arguments of a call are, without what is to be taken out of that."""
        try:
            value = msgspec.json.decode(text)
            shown = self.value(value)
            return text if shown == value else msgspec.json.encode(shown).decode()
        except (msgspec.DecodeError, UnicodeError):
            return text

    def _piece(self, text: str) -> str:
        text = self._looked_at(text)
        if "\\" in text:
            # An escape of JSON in a text stands before what it ends: the n of a line feed begins no word.
            escaped = _ESCAPE.split(text)
            escaped[::2] = map(self._looked_at, escaped[::2])
            text = "".join(escaped)
        return text

    def _looked_at(self, text: str) -> str:
        if self._seconds() > self._until:
            raise TooSlow
        rules = self._rules
        text = rules.masking.content(text)
        for clean in rules.patterns:
            text = clean(text)
        return text

    @property
    def _looks(self) -> bool:
        return bool(self._rules.patterns or self._rules.expressions)

    def _name(self, name: str) -> str:
        keys = self._rules.keys
        shown = keys.get(name)
        if shown is None:
            shown = self.text(name)
            if len(name) <= _LONGEST_KEY:
                if len(keys) >= _MOST_KEYS:
                    keys.clear()
                keys[name] = shown
        return shown

    def _member(self, name: str, value: Any) -> Any:
        if is_secret(name):
            if isinstance(value, str) and value:
                return MASKED
            if isinstance(value, list):
                return [MASKED if isinstance(each, str) else self.value(each) for each in value]
        if name in _LOGPROBS and value:
            return self._logprobs(value)
        return self.value(value)

    def _logprobs(self, value: Any) -> Any:
        """Nothing is changed in them: they are there whole, or are not."""
        if self._rules.paths:
            return MARK
        return MARK if any(self.text(text) != text for text in _spoken(value)) else value

    def join(self, events: list[Any]) -> None:
        """Take out what would only be found where texts of several events are read as one."""
        places: dict[tuple[str, ...], list[tuple[Any, Any]]] = {}
        for event in events:
            _find_texts(event, (), places)
        for found in places.values():
            texts = [holder[key] for holder, key in found]
            if len(texts) > 1 and self.text("".join(texts)) != "".join(map(self.text, texts)):
                for holder, key in found:
                    holder[key] = MARK


def _repeats(text: str) -> bool:
    """Whether there are log probabilities: C{null} is usual, and none."""
    count = text.count('"logprobs')
    return bool(count) and count != text.count('"logprobs":null') + text.count('"logprobs": null')


def _spoken(value: Any) -> list[str]:
    """The texts that log probabilities repeat: of their lists of tokens, each as one."""
    if isinstance(value, list):
        if all(isinstance(each, str) for each in value):
            return ["".join(value)]
        tokens = [each["token"] for each in value if isinstance(each, dict) and isinstance(each.get("token"), str)]
        return ["".join(tokens), *(text for each in value if isinstance(each, list) for text in _spoken(each))]
    if isinstance(value, dict):
        return [text for name, each in value.items() if name != "top_logprobs" for text in _spoken(each)]
    return []


def _find_texts(value: Any, path: tuple[str, ...], places: dict[tuple[str, ...], list[tuple[Any, Any]]]) -> None:
    """Texts by where they stand, whatever the index."""
    if isinstance(value, (dict, list)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            inner = (*path, key if isinstance(key, str) else "*")
            if isinstance(each, str):
                places.setdefault(inner, []).append((value, key))
            else:
                _find_texts(each, inner, places)
