"""The choice of what reads the usage in an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ..usage import Usage
from .awsreader import AwsReader
from .bedrock import EVENT_STREAM
from .counting import is_kept, uses_something
from .imagereader import ImageReader, makes_pictures
from .models import model_in_target
from .usagereader import JSON, MEDIA_TYPES, UsageReader

STREAMS = MEDIA_TYPES - {JSON} | {EVENT_STREAM}
"""Media types of answers that come in parts, as they are made."""


class Reader(Protocol):
    """What is fed the bytes of an answer as they come, cut anywhere; see L{UsageReader}."""

    def feed(self, data: bytes) -> None: ...

    def direct(self) -> Callable[[bytes], object]: ...

    def whole(self, content: bytes) -> None: ...

    def is_whole(self) -> bool: ...

    def usage(self) -> Usage: ...

    @property
    def found(self) -> Mapping[str, Any]: ...


class Asked(NamedTuple):
    """
    What a target says of the answers to it.

    @ivar model: what it names, or C{""}.
    @ivar pictures: they are counted, if there are any.
    @ivar forms: what is sent may be a form that names the model.
    @ivar kept: what is posted there is noted about an answer of before, which comes again.
    @ivar is_plain: nothing of that holds, so that an answer which is here counts as it stands.
    @ivar runs: what is posted there has a model run, see L{llmproxy.providers.counting.uses_something}.
    """

    model: str
    pictures: bool
    forms: bool
    kept: bool
    is_plain: bool
    runs: bool


class _Targets(dict[bytes, Asked]):
    """By target: most requests have one of a few."""

    def __missing__(self, target: bytes) -> Asked:
        forms = any(place in target for place in _FORMS)
        runs = uses_something(b"POST", target)
        pictures, kept = makes_pictures(target), is_kept(target)
        asked = Asked(model_in_target(target), pictures, forms, kept, not (pictures or forms or kept), runs)
        if len(target) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[target] = asked
        return asked


_FORMS = (b"/audio/", b"/images/", b"/videos")

_LONGEST_REMEMBERED = 128
_MOST_REMEMBERED = 1024

ASKED = _Targets()
"""C{ASKED[target]} is what a target says."""


def reader_for(media_type: bytes, codings: Sequence[bytes], *, pictures: bool = False) -> Reader | None:
    """
    @param media_type: without parameters, in lower case.
    @param codings: of the content, in the order in which they were applied, in lower case.
    @param pictures: see L{Asked.pictures}.
    @return: C{None} where such content cannot be read.
    @raise ProxyError: a coding cannot be undone here.
    """
    if media_type in MEDIA_TYPES:
        if pictures:
            return ImageReader(media_type, codings)
        return UsageReader(media_type, codings)
    return AwsReader(codings) if media_type == EVENT_STREAM else None
