"""The directory of C{llmproxy quickstart}: what the next start goes on with, for its owner alone."""

from __future__ import annotations

import os
from collections.abc import Callable

from attrs import frozen

from ..errors import ConfigError


@frozen
class DataDirectory:
    """
    Small files with a secret each.

    @ivar path: made if it is not there. One that is there keeps its permissions, as it may be anything; what is
        put into it is readable by its owner only.
    """

    path: str

    def make(self) -> None:
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be made: {error.strerror}") from None

    def file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """The text of a file; what C{make} returns, at the first start. An empty one was never finished."""
        return self.read(name) or self.keep(name, make())

    def read(self, name: str) -> str:
        """The text of a file; C{""} if it is not there."""
        try:
            with open(self.file(name), encoding="ascii") as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ConfigError(f"{self.file(name)}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{self.file(name)}: is not text") from None

    def keep(self, name: str, text: str) -> str:
        """Write a file, 0600."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(self.file(name), flags, 0o600), "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(text + "\n")
        except OSError as error:
            raise ConfigError(f"{self.file(name)}: cannot be written: {error.strerror}") from None
        return text
