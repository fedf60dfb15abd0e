"""
The one mask of secrets, for logs, metrics, audit records, events and error texts.

Nobody is to write a secret down; this is for what slips through: a key in a field that is named for one, a token
that somebody sent as an id, in a path, as the name of a program or of a model.

Shapes are those that vendors document or that their SDKs' examples show (read 2026-11-30): OpenAI, Anthropic and
OpenRouter C{sk-}, OpenAI C{sess-}, Groq C{gsk_}, xAI C{xai-}, Google C{AIza}, C{AQ.} and C{ya29.}, Cerebras C{csk-},
Perplexity C{pplx-}, NVIDIA C{nvapi-}, Hugging Face C{hf_}, Replicate C{r8_}, Fireworks C{fw_}, Together C{tgp_}, Voyage
C{pa-}, GitHub C{ghp_} and its sisters, AWS C{AKIA} and C{ABSK}, Databricks C{dapi}. A key that looks like any other
word (Azure's, Mistral's) cannot be known by its shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import msgspec
from attrs import evolve

from ..message import Attribution, Record
from ..record import TEXTS
from ..usage import Usage

MASKED = "[masked]"

_NAMED = re.compile(r"(?:^|[_-])(?:key|secret|password|token|authorization|cookie|credential)s?$", re.IGNORECASE)
_NO_SECRETS = frozenset({"cache_key"})
"""Names that look like those of secrets and are none."""

# Every alternative that has begun to match ends without going back over what it read: texts come from clients.
_LOOKS_LIKE = re.compile(
    r"""
      (?<![A-Za-z0-9])(?:sk|pk|rk|gsk|csk|xai|llmproxy_(?:admin|session))[-_][A-Za-z0-9_-]{6,}  # ours, most vendors'
    | (?-i:sk-(?=[a-z0-9_-]{0,21}[A-Z])[A-Za-z0-9_-]{22,})      # ours behind a word, which an id of tasks is not
    | (?-i:AIza)[A-Za-z0-9_-]{12,} | (?-i:ya29\.)[A-Za-z0-9_-]{12,}
    | (?<![A-Za-z0-9])(?-i:pplx-|nvapi-|hf_|r8_|fw_|tgp_v1_|tgp_|pa-|sess-|AQ\.)[A-Za-z0-9_-]{20,}
    | (?-i:gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}
    | (?<![A-Za-z0-9])(?-i:AKIA|ASIA|ABSK|dapi)[A-Za-z0-9+/=]{16,}
    | (?<![A-Za-z0-9])(?-i:eyJ)[A-Za-z0-9_-]{12,}(?:\.[A-Za-z0-9_-]*){0,4}   # a JSON web token, or what it begins with
    | (?<=bearer\s)[^\s,;"]+ | (?<=bearer%20)[^\s,;"]+
    | (?<=basic\s)[A-Za-z0-9+/=]{8,}
    | (?<=[?&]key=)[^&\s"]+ | (?<=token=)[^&\s"]+ | (?<=api_key=)[^&\s"]+ | (?<=api-key=)[^&\s"]+
    """,
    re.IGNORECASE | re.VERBOSE,
)

_SHORTEST = 6
"""Characters of the shortest secret, C{?key=x}."""

_LEAST_BEGINNING = 6
"""Characters of a secret that are worth something."""

_MAY_BEGIN = re.compile("[-_](?<=(?:sk|pk|rk|ai|in|lx|pi|hf|r8|fw|v1|gp|pa|ss|hp|ho|hu|hs|hr|at)[-_])(?=[a-z0-9_-]{6})")
"""What all shapes of L{_LOOKS_LIKE} have in them whose beginning ends so, in lower case."""

_BEGINNINGS = ("AIza", "ya29.", "AQ.", "AKIA", "ASIA", "ABSK", "dapi", "eyJ")
_SPANNING = ("bearer", "basic")
"""Words behind which a secret is another word."""

_MARKS = (*_SPANNING, "key=", "token=")
"""What the others have in them, in lower case."""

_ENCODED = re.compile("%[0-9a-f]{2}")

_json = msgspec.json.Encoder().encode
_NUMBERS = frozenset({int, float, bool, type(None)})
_TEXT = re.compile(rb'"[,\]}]')
"""The end of a value that is a text, in JSON without spaces; a name has a colon behind it."""

_DECODED_AT_MOST = 4
"""How often a text is percent-decoded: what is encoded more often is no secret that anybody would paste."""

_REMEMBERED = 1024
_LONGEST_REMEMBERED = 256
"""Paths and names of programs come again and again: so many texts are remembered, of up to so many characters."""

OURS = frozenset(
    "api endpoint project_id token_id error_code cache ended status upstream_status attempts cause request_id"
    " provider book entry_id person_id".split()
)
"""Fields of a record that the proxy itself writes; the id of a request is masked where it is taken from a client."""

_FOREIGN = tuple(name for name in TEXTS if name not in OURS)
"""All other fields that are texts, those added later too: what stands there, a client or an upstream has said."""


class Masking:
    """
    @param known: secrets of this process, masked wherever they stand.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._words: set[str] = set()
        self._secrets: tuple[str, ...] = ()
        self._known: re.Pattern[str] | None = None
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self.text)
        self.learn(known)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on, as a configuration brings new ones."""
        # A short one would be found in texts that have nothing to do with it.
        known = {secret for secret in secrets if len(secret) >= 8}
        self._secrets = tuple({*self._secrets, *known})
        self._words |= set(map(re.escape, known))
        words = sorted(self._words, key=len, reverse=True)
        self._known = re.compile("|".join(words)) if words else None
        self._remembered.cache_clear()

    def text(self, text: str) -> str:
        """
        The same without what looks like a secret.

        Where one is hidden by percent-encoding, the text is given decoded: nobody has to decode it to find the rest.
        """
        shown = self._plain(text)
        decoded = text
        for _ in range(_DECODED_AT_MOST):
            if "%" not in decoded:
                break
            decoded, before = unquote(decoded), decoded
            if decoded == before:
                break
            masked = self._plain(decoded)
            if masked != decoded:
                return self._plain(masked)
        return shown

    def may_hold(self, text: str, lowered: str) -> bool:
        """
        Whether anything in a text could be a secret: in a thirtieth of the time of L{text}, which alone knows.

        @param lowered: the same in lower case.
        """
        if _MAY_BEGIN.search(lowered) is not None or ("%" in text and _ENCODED.search(lowered) is not None):
            return True
        # Without generators, which take as long as the searches.
        for mark in _MARKS:
            if mark in lowered:
                return True
        for beginning in _BEGINNINGS:
            if beginning in text:
                return True
        for secret in self._secrets:  # noqa: SIM110
            if secret in text:
                return True
        return False

    def content(self, text: str) -> str:
        """The same as L{text}, in a fraction of its time for what people write to each other."""
        lowered = text.lower()
        if len(text) < _SHORTEST or not self.may_hold(text, lowered):
            return text
        if any(each in lowered for each in _SPANNING) or any(each in text for each in self._secrets):
            return self.text(text)
        for word in text.split():
            if self.may_hold(word, word.lower()) and self.text(word) != word:
                return self.text(text)
        return text

    def without_end(self, text: str) -> str:
        """A text that was cut, without the beginning of a secret of this process at its end."""
        for secret in self._secrets:
            for size in range(len(secret) - 1, _LEAST_BEGINNING - 1, -1):
                if text.endswith(secret[:size]):
                    return text[:-size] + MASKED
        return text

    def _plain(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASKED, text)
        return _LOOKS_LIKE.sub(MASKED, text)

    def values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same values, without those that are secrets by their name, and the texts without what looks like one."""
        return {self.text(str(name)): self._value(str(name), value) for name, value in values.items()}

    def record(self, record: Record) -> Record:
        """The record itself, once nothing secret is in any text of it; done once, before anybody reads it."""
        for name in _FOREIGN:
            text = getattr(record, name)
            if text:
                short = len(text) <= _LONGEST_REMEMBERED
                setattr(record, name, self._remembered(text) if short else self.text(text))
        if self._known is not None:
            # Each is another: to remember them would keep nothing else.
            record.request_id = self._known.sub(MASKED, record.request_id)
        if record.details:
            record.details = self.values(record.details)
        asked = record.attribution
        if asked is not None and (asked.user or asked.session or asked.tags or asked.metadata):
            tags, metadata = self.values(asked.tags), self.values(asked.metadata)
            record.attribution = Attribution(
                self.text(asked.user), self.text(asked.session), asked.program, tags, metadata
            )
        if record.usage is not None:
            record.usage = self._usage(record.usage)
        if record.saved is not None:
            record.saved = self._usage(record.saved)
        return record

    def _usage(self, usage: Usage) -> Usage:
        # Servers repeat what a client called a model.
        model, raw = self._remembered(usage.served_model), usage.raw
        if raw is not None and not _NUMBERS.issuperset(map(type, raw.values())) and _may_hold_text(raw):
            return evolve(usage, served_model=model, raw=self._said(raw))
        return usage if model == usage.served_model else evolve(usage, served_model=model)

    def _said(self, value: Any) -> Any:
        """What a provider says, whatever it is called there: the name of a count of tokens is like that of a secret."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self._said(each) for name, each in value.items()}
        return [self._said(each) for each in value] if isinstance(value, list) else value

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            if _is_secret(name):
                # Keys by API: what is in it is as secret, whatever it is called there.
                return {self.text(str(each)): self._value(name, inner) for each, inner in value.items()}
            return self.values(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._value(name, each) for each in value]
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if _is_secret(name):
            return MASKED
        return self.text(str(value))


def _may_hold_text(raw: Mapping[str, Any]) -> bool:
    """Whether any value is a text; nearly always all are numbers, and this costs a tenth of looking at each."""
    try:
        if _are_numbers(raw):
            return False
        return _TEXT.search(_json(raw)) is not None
    except (ValueError, TypeError, OverflowError, RecursionError):
        return True


def _are_numbers(raw: Mapping[str, Any]) -> bool:
    """Whether all values are numbers, or objects of such."""
    if _NUMBERS.issuperset(map(type, raw.values())):
        return True
    for value in raw.values():
        kind = type(value)
        if kind not in _NUMBERS and (kind is not dict or not _are_numbers(value)):
            return False
    return True


def _is_secret(name: str) -> bool:
    return _NAMED.search(name) is not None and name not in _NO_SECRETS


mask = Masking().text
"""For texts of which nobody knows the secrets of the process."""
