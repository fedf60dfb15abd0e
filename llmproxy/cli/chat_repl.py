"""A conversation in a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from attrs import evolve

from .conversation import Conversation
from .faults import Fault
from .output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

HELP = """\
/help               this
/reset              forget what was said
/model NAME         another model
/system TEXT        another instruction; without TEXT none
/temperature N      0 is the same every time; without N the API's own
/quit               the end, as are exit, quit and Ctrl-D
A line that ends with \\ goes on in the next. Ctrl-C stops an answer.
"""

HISTORY = 1000
"""Lines that are kept."""


class Chat:
    """
    @param read: gives a line, after its prompt; raises C{EOFError} at the end and C{KeyboardInterrupt}.
    @param note: what is not the conversation itself: errors, and with C{verbose} times.
    """

    def __init__(
        self,
        conversation: Conversation,
        read: Callable[[str], str],
        out: TextIO,
        note: Callable[[str], None],
        verbose: bool = False,
    ) -> None:
        self._conversation = conversation
        self._read = read
        self._out = out
        self._note = note
        self._verbose = verbose

    def run(self) -> None:
        """Until the user ends it. Ctrl-C stops what runs, not the program."""
        while True:
            try:
                text = self._question()
            except EOFError:
                self._out.write("\n")
                return
            except KeyboardInterrupt:
                self._out.write("\n")
                self._note("Ctrl-D or /quit ends it.")
                continue
            if text in ("exit", "quit", "/exit", "/quit"):
                return
            if text.startswith("/"):
                self._obey(text)
            elif text:
                with suppress(Fault):
                    self.answer(text)

    def answer(self, text: str) -> bool:
        """
        Ask, and print the answer as it comes.

        @return: whether it came to its end.
        @raise Fault: it could not; that has been reported.
        """
        began = time.monotonic()
        first: float | None = None
        pieces = self._conversation.ask(text)
        try:
            for piece in pieces:
                first = first or time.monotonic()
                self._out.write(readable(piece))
                self._out.flush()
            self._out.write("\n")
        except KeyboardInterrupt:
            self._out.write("\n")
            self._note("Stopped.")
            return False
        except Fault as error:
            self._out.write("\n" if first else "")
            self._note(f"Error: {printable(error.message)}")
            raise
        finally:
            # Whatever ended it, the connection is closed now, and upstream stops.
            pieces.close()  # type: ignore[attr-defined]
        if self._verbose:
            self._tell_times(began, first)
        return True

    def _question(self) -> str:
        lines = [self._read("> ")]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1]
            lines.append(self._read("… "))
        return "\n".join(lines).strip()

    def _obey(self, text: str) -> None:
        command, _, rest = text.partition(" ")
        rest = rest.strip()
        conversation = self._conversation
        if command == "/help":
            self._out.write(HELP)
        elif command == "/reset":
            conversation.forget()
            self._note("Forgotten.")
        elif command == "/model" and rest:
            conversation.wishes = evolve(conversation.wishes, model=rest)
        elif command == "/system":
            conversation.wishes = evolve(conversation.wishes, system=rest)
        elif command == "/temperature":
            self._set_temperature(rest)
        else:
            self._note("/help lists the commands.")

    def _set_temperature(self, text: str) -> None:
        try:
            value = float(text) if text else None
        except ValueError:
            self._note("a number is expected, such as 0.7")
        else:
            self._conversation.wishes = evolve(self._conversation.wishes, temperature=value)

    def _tell_times(self, began: float, first: float | None) -> None:
        now = time.monotonic()
        head = "" if first is None else f"first text after {first - began:.2f} s, "
        request = self._conversation.request_id or "without an id"
        self._note(f"{head}all of it after {now - began:.2f} s, request {request}")


def readable(text: str) -> str:
    """What a model says may have lines and tabs, and nothing else that moves the cursor."""
    return "".join(c if c in "\n\t" else printable(c) for c in text)


@contextmanager
def remembered(path: str | None) -> Iterator[Callable[[str], str]]:
    """
    A reader of lines with editing, where there is a terminal that can.

    @param path: where the questions are kept between two conversations, for their owner alone; C{None} keeps none.
    """
    try:
        import readline
    except ImportError:
        yield input
        return
    readline.set_history_length(HISTORY)
    readline.clear_history()
    if path is not None:
        _prepare(path)
        with suppress(OSError):
            readline.read_history_file(path)
    try:
        yield input
    finally:
        if path is not None:
            before = os.umask(0o077)
            try:
                readline.write_history_file(path)
                os.chmod(path, 0o600)
            except OSError as error:
                print(f"{path}: cannot be written: {error.strerror}", file=sys.stderr)
            finally:
                os.umask(before)


def _prepare(path: str) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise Fault(f"{path}: cannot be written: {error.strerror}") from None
