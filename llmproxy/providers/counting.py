"""
The judgement whether an answer is counted: an answer that is made in the background, or kept by the provider, is seen
again each time it is fetched, and has been used once.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..usage import Usage
from .registry import FREE

if TYPE_CHECKING:
    from ..record import Record

MOST = 10_000
"""Answers that are remembered, of each kind; the oldest is forgotten."""

_PENDING = ("queued", "in_progress")

_BACKGROUND = frozenset(("background", "response.background", "interaction.background"))

_KEPT = b"/chat/completions/"

_PARTS = re.compile(rb"[^/:?]+")


def uses_something(method: bytes, target: bytes) -> bool:
    """
    Whether what is asked for costs anything that answers of that kind could tell: a model runs. Only asked of an answer
    that tells nothing.
    """
    path = target.partition(b"?")[0]
    return method == b"POST" and FREE.isdisjoint(_PARTS.findall(path))


def is_kept(target: bytes) -> bool:
    """Whether what is posted there is noted about a chat that is kept, all of which comes again."""
    return _KEPT in target


def is_background(found: Mapping[str, Any]) -> bool:
    """Whether an answer says that nobody has waited for it: see L{Lasting}."""
    return not _BACKGROUND.isdisjoint(found) and any(found.get(path) is True for path in _BACKGROUND)


@frozen
class Lasting:
    """
    An answer that may be fetched again.

    @ivar id: the provider's.
    @ivar pending: it is not made yet.
    @ivar background: C{True} where it says itself that nobody has waited for it.
    """

    id: str
    pending: bool
    background: bool


def lasting_in(found: Mapping[str, Any]) -> Lasting | None:
    """
    @param found: see L{UsageReader.found}.
    """
    for outer in ("response.", "interaction.", ""):
        identity = found.get(f"{outer}id")
        if isinstance(identity, str) and identity:
            background = found.get(f"{outer}background") is True
            return Lasting(identity[:256], found.get(f"{outer}status") in _PENDING, background)
    return None


_IDS = ("response.id", "interaction.id", "message.id", "id", "responseId")


def response_id_in(found: Mapping[str, Any]) -> str:
    """The id that the provider gave its answer, whether or not that can be fetched again; C{""} for none."""
    ids = (found.get(path) for path in _IDS)
    return next((each[:256] for each in ids if isinstance(each, str) and each), "")


class Counting:
    """What has been counted, and what is still to be: in this process, since its start."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._counted: OrderedDict[tuple[str, str], bool] = OrderedDict()
        self._owed: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def counted(
        self, api: str, method: bytes, target: bytes, usage: Usage, found: Mapping[str, Any], record: Record
    ) -> Usage | None:
        """
        @param usage: what an answer says.
        @param found: what else was found in it, see L{UsageReader.found}.
        @param record: it is noted there which answer it is that can be fetched again: other processes may see it, and
            the database knows what they have counted.
        @return: what of it counts; C{None} where nothing was used, it was counted before, or only the database knows.
        """
        if not usage.is_known:
            if not uses_something(method, target):
                return None
            lasting = lasting_in(found)
            if lasting is not None and lasting.pending:
                self._remember(self._owed, (api, lasting.id))
                record.answer_id = lasting.id
            return usage
        is_made = method == b"POST" and not is_kept(target)
        if is_made and not is_background(found):
            return usage
        lasting = lasting_in(found)
        if lasting is None:
            return usage if is_made else None
        key = (api, lasting.id)
        is_owed = self._owed.pop(key, False)
        if key in self._counted:
            return None
        record.answer_id = lasting.id
        if not (is_owed or lasting.background):
            # It was counted when it was made, unless another process was asked for it.
            record.claimed = usage
            return None
        self._remember(self._counted, key)
        return usage

    def _remember(self, keys: OrderedDict[tuple[str, str], bool], key: tuple[str, str]) -> None:
        keys[key] = True
        if len(keys) > self._most:
            keys.popitem(last=False)
