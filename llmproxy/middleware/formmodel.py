"""The model of a multipart upload, of sound or pictures, read from a copy of its bytes as they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bodies import BytesBody, Tap
from ..core.fields import values
from ..core.inspection.contenttype import media_type
from ..core.inspection.disposition import PartHead
from ..core.inspection.multipart import Content, MultipartReader
from ..core.models import named
from ..core.requestbody import MULTIPART
from ..errors import ProxyError
from ..providers.readers import ASKED

if TYPE_CHECKING:
    from ..message import ApiRequest

_LONGEST = 1024
"""Bytes of a model's name."""


def watch_form(request: ApiRequest) -> None:
    """Have C{request.record.model} filled in while a form goes on that names one, where such forms are sent."""
    body, record = request.body, request.record
    if body is None or record.model or not ASKED[request.target].forms:
        return
    try:
        kind = media_type(values(request.fields, b"content-type"))
        boundary = kind.boundary if kind.essence == MULTIPART else b""
    except ProxyError:
        # Upstream may read it all the same.
        return
    if not boundary:
        return
    form: FormModel | None = FormModel(boundary)

    def seen(data: bytes) -> None:
        nonlocal form
        if form is None or record.model:
            return
        try:
            form.feed(data)
            record.model = form.model
        except Exception:
            # What is wrong with the reader hurts no upload.
            form = None

    if isinstance(body, BytesBody):
        seen(body.content)
    else:
        request.body = Tap(body, seen)


class FormModel:
    """
    @ivar model: the C{model} of the form, once its part has passed; C{""} until then, and for none.
    """

    def __init__(self, boundary: bytes) -> None:
        self._reader: MultipartReader | None = MultipartReader(boundary)
        self._value: bytes | None = None
        self.model = ""

    def feed(self, data: bytes) -> None:
        """More of the body. Nothing is read behind the model, or behind what is no such form."""
        if self._reader is None:
            return
        try:
            for event in self._reader.feed(data):
                if self._ends(event):
                    self._reader = None
                    return
        except ProxyError:
            self._reader = None

    def _ends(self, event: object) -> bool:
        """Whether the model has passed."""
        if isinstance(event, PartHead):
            self._value = b"" if event.name == "model" and event.plain else None
        elif self._value is None:
            return False
        elif isinstance(event, Content):
            self._value += event.data
            if len(self._value) > _LONGEST:
                self._value = None
        else:
            self.model = named(self._value.decode("utf-8", "replace"))
            return True
        return False
