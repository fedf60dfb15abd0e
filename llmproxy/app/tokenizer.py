"""The encodings of tiktoken, as far as they are on this machine: nothing is fetched."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha1, sha256
from importlib.util import find_spec
from typing import Any

_PLACE = "https://openaipublic.blob.core.windows.net/encodings/"

_HASHES = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
"""What tiktoken 0.12 expects of its files (tiktoken_ext/openai_public.py): another one it would fetch anew."""

_LONGEST = 100_000
"""Characters that are encoded at once: of a word without an end the time grows faster than its length."""


def directory() -> str:
    """Where tiktoken keeps what it has fetched."""
    names = ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")
    usual = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    return next((os.environ[name] for name in names if name in os.environ), usual)


def missing() -> str:
    """Why nothing can be estimated; C{""} if it can."""
    if find_spec("tiktoken") is None:
        return "tiktoken is not installed: pip install 'txllmproxy[tiktoken]'"
    if not available():
        wanted = " and ".join(f"{_file(name)} ({name})" for name in _HASHES)
        return (
            f"no encoding of tiktoken is in {directory()!r}, and none is fetched: where there is a network, "
            f"python -c 'import tiktoken; tiktoken.get_encoding(\"o200k_base\")' writes one; or set TIKTOKEN_CACHE_DIR "
            f"to a directory that has {wanted}"
        )
    return ""


def available() -> list[str]:
    """The names of the encodings that are here, the newest first."""
    return [name for name in _HASHES if _is_here(name)]


def _file(name: str) -> str:
    """How tiktoken calls the file of an encoding."""
    return sha1(f"{_PLACE}{name}.tiktoken".encode(), usedforsecurity=False).hexdigest()


def _is_here(name: str) -> bool:
    try:
        with open(os.path.join(directory(), _file(name)), "rb") as file:
            return sha256(file.read()).hexdigest() == _HASHES[name]
    except OSError:
        return False


class Tokenizer:
    """
    Counts the tokens of texts. For a thread: an encoding is read when it is needed first, which takes up to half a
    second.
    """

    def __init__(self) -> None:
        self._encodings: dict[str, Any] = {}

    def count(self, text: str, model: str) -> int:
        """
        How many tokens a text is to this model; to one that tiktoken does not know, as to the newest.

        @raise LookupError: there is no encoding.
        """
        encoding = self._encoding_of(model)
        pieces = (text[at : at + _LONGEST] for at in range(0, len(text), _LONGEST))
        return sum(len(encoding.encode_ordinary(piece)) for piece in pieces)

    def _encoding_of(self, model: str) -> Any:
        for name in (_name_for(model), *_HASHES):
            if name in self._encodings:
                return self._encodings[name]
            # Right before it is read: tiktoken would fetch what has gone meanwhile.
            if name in _HASHES and _is_here(name):
                import tiktoken

                self._encodings[name] = encoding = tiktoken.get_encoding(name)
                return encoding
        raise LookupError(missing())


def _name_for(model: str) -> str:
    from tiktoken.model import encoding_name_for_model

    try:
        return encoding_name_for_model(model.rpartition("/")[2])
    except KeyError:
        return ""
