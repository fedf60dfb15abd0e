"""
Streams of pictures, speech and transcripts as OpenAI gives them: the last event has what a plain call answers.

platform.openai.com/docs/api-reference/images-streaming and .../audio, read 2026-11-30.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .parts import add_text, settled

_PREFIXES = ("image_generation.", "image_edit.", "speech.audio.", "transcript.text.")
_PICTURE = ("b64_json", "revised_prompt", "url")


class Media:
    kind: ClassVar[str] = "media"

    def __init__(self) -> None:
        self.is_whole = False
        self._said: dict[str, Any] = {}
        self._done: dict[str, Any] = {}

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        kind = part.get("type")
        return isinstance(kind, str) and kind.startswith(_PREFIXES)

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        kind = part.get("type")
        if kind == "error" or "error" in part:
            self._done["error"] = part.get("error", dict(part))
        elif not isinstance(kind, str):
            return
        elif kind.startswith("image_"):
            self._picture(kind, part)
        elif kind.startswith("transcript.text."):
            self._transcript(kind, part)
        elif kind.startswith("speech.audio."):
            # The sound is no text; how it is coded is known to who asked.
            self._done.update({each: part[each] for each in ("usage",) if each in part})
            self.is_whole = kind.endswith(".done")

    def _picture(self, kind: str, part: Mapping[str, Any]) -> None:
        if kind.endswith(".completed"):
            picture = {each: part[each] for each in _PICTURE if each in part}
            rest = {each: value for each, value in part.items() if each not in (*_PICTURE, "type", "created_at")}
            created = {"created": part["created_at"]} if "created_at" in part else {}
            self._done.update({**created, **rest, "data": [*self._done.get("data", ()), picture]})
            self.is_whole = True

    def _transcript(self, kind: str, part: Mapping[str, Any]) -> None:
        if kind == "transcript.text.done":
            self._done.update({each: value for each, value in part.items() if each != "type"})
            self.is_whole = True
        elif kind == "transcript.text.segment":
            self._said.setdefault("segments", []).append({each: v for each, v in part.items() if each != "type"})
        else:
            add_text(self._said, "text", part.get("delta"))

    def answer(self) -> Any:
        return {**settled(self._said), **self._done}
