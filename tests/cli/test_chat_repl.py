"""A conversation in a terminal."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.chat_repl import HELP, Chat, readable, remembered
from llmproxy.cli.faults import Fault

from .talking import Api, Response, conversation, refusal, stream


class ChatTests(SynchronousTestCase):
    def chat(self, *typed: str | type[BaseException], answers: tuple[Response, ...] = (), verbose: bool = False) -> Api:
        """Type lines until the end; each is a text or what interrupts."""
        self.talk, api = conversation(*answers)
        self.out, self.notes, lines = io.StringIO(), list[str](), iter([*typed, EOFError])

        def read(prompt: str) -> str:
            line = next(lines)
            if isinstance(line, str):
                return line
            raise line

        Chat(self.talk, read, self.out, self.notes.append, verbose).run()
        return api

    def test_talks(self) -> None:
        """What is typed is asked, and what is answered is shown."""
        api = self.chat("hi", "", "  bye  ", answers=(stream("Hel", "lo"), stream("Bye")))
        self.assertEqual(self.out.getvalue(), "Hello\nBye\n\n")
        self.assertEqual([each[2]["messages"][-1]["content"] for each in api.asked], ["hi", "bye"])

    def test_ends(self) -> None:
        """Five ways to end it."""
        for word in ("exit", "quit", "/exit", "/quit", EOFError):
            self.assertEqual(self.chat(word, "hi").asked, [], word)

    def test_stops_an_answer(self) -> None:
        """Ctrl-C stops the answer and not the program; the conversation goes on behind what came of it."""
        broken = stream("Once", " upon", end=False, after=KeyboardInterrupt())
        api = self.chat("tell", "more", answers=(broken, stream("a time")))
        self.assertEqual(self.out.getvalue(), "Once upon\na time\n\n")
        self.assertEqual((self.notes, api.open), (["Stopped."], 0))
        self.assertEqual(api.asked[1][2]["messages"][1]["content"], "Once upon")

    def test_interrupted_at_the_prompt(self) -> None:
        """Ctrl-C while nothing runs ends nothing, and says what does."""
        self.chat(KeyboardInterrupt, "hi", answers=(stream("Hello"),))
        self.assertIn("/quit", self.notes[0])
        self.assertIn("Hello", self.out.getvalue())

    def test_errors(self) -> None:
        """A refusal is told, and the next question asked as if it had not been."""
        api = self.chat("a", "b", answers=(refusal(429, error="too\x1b[2J many"), stream("ok")))
        self.assertEqual(self.notes, ["Error: too\\x1b[2J many"])
        self.assertEqual(len(api.asked[1][2]["messages"]), 1)

    def test_several_lines(self) -> None:
        """A line that ends with a backslash goes on."""
        api = self.chat("one \\", "two", answers=(stream("ok"),))
        self.assertEqual(api.asked[0][2]["messages"][0]["content"], "one \ntwo")

    def test_commands(self) -> None:
        """Model, instruction and temperature are changed, and what was said forgotten, on the way."""
        answers = (stream("1"), stream("2"), stream("3"))
        commands = ("/model big", "/system Be brief.", "/temperature 0.5", "two", "/reset", "/temperature", "/system")
        api = self.chat("one", *commands, "three", "/help", "/nope", "/temperature hot", answers=answers)
        second, third = api.asked[1][2], api.asked[2][2]
        self.assertEqual((second["model"], second["temperature"]), ("big", 0.5))
        self.assertEqual([each["content"] for each in second["messages"]], ["Be brief.", "one", "1", "two"])
        self.assertEqual([each["content"] for each in third["messages"]], ["three"])
        self.assertNotIn("temperature", third)
        self.assertIn(HELP, self.out.getvalue())
        self.assertEqual(self.notes[1:], ["/help lists the commands.", "a number is expected, such as 0.7"])

    def test_times(self) -> None:
        """With verbose, when it came and which request it was."""
        self.chat("hi", answers=(stream("a"),), verbose=True)
        self.assertIn("request r-1", self.notes[0])

    def test_once(self) -> None:
        """A single answer says whether it came to its end, and raises what it was refused with."""
        talk, _ = conversation(stream("a"), stream("b", end=False, after=KeyboardInterrupt()), refusal(404, error="no"))
        chat = Chat(talk, input, io.StringIO(), lambda words: None)
        self.assertEqual([chat.answer("1"), chat.answer("2")], [True, False])
        self.assertEqual(self.assertRaises(Fault, chat.answer, "3").exit_code, 3)


class TerminalTests(SynchronousTestCase):
    def test_readable(self) -> None:
        """A model cannot drive the terminal; lines, tabs and every alphabet stay."""
        self.assertEqual(readable("a\tb\n東京 é\x1b[31m\x07"), "a\tb\n東京 é\\x1b[31m\\x07")

    def test_history(self) -> None:
        """Questions are kept in a file for its owner alone, only where that was asked for."""
        import readline

        path = self.mktemp()
        with remembered(path):
            readline.add_history("a question")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertIn("a question", Path(path).read_text())
        with remembered(path):
            self.assertEqual(readline.get_history_item(1), "a question")
        with remembered(None):
            self.assertEqual(readline.get_current_history_length(), 0)

    def test_no_place_for_it(self) -> None:
        """A file that cannot be is told before anything is asked."""
        with self.assertRaises(Fault), remembered("/nowhere/history"):
            self.fail("it began")
