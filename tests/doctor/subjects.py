"""Subjects for the looks of the doctor: a configuration in a directory of its own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.doctor.subject import Subject, subject_of

TOKEN = "f3Kq9-vXw2Zr7Lm1Tn8Bc4Dg6Hj5Ps0Y"
API = "{base_url: 'https://api.example:4443', allowed_endpoints: [/v1], allowed_methods: [POST]}"


class SubjectTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory, 0o700)

    def file(self, name: str, text: str = "", mode: int = 0o600) -> str:
        """The path of a new file."""
        path = os.path.join(self.directory, name)
        Path(path).write_text(text)
        os.chmod(path, mode)
        return path

    def subject(
        self,
        more: str = "",
        api: str = API,
        options: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        **others: Any,
    ) -> Subject:
        """
        @param more: YAML beside the APIs.
        @param options: of C{llmproxy serve}.
        @param env: variables beside the token.
        """
        path = self.file("apis.yaml", f"default_api: a\napis:\n  a: {api}\n{more}")
        database = f"sqlite:///{self.directory}/d.db"
        known = {"config": path, "listen": ("tcp:0:interface=127.0.0.1",), "database": database, **(options or {})}
        return subject_of(known, {"MANAGEMENT_TOKEN": TOKEN, **(env or {})}, **others)

    def served(self, serve: Callable[[socket.socket], None], path: str = "") -> int:
        """
        Listen, and have each connection served in a thread, until the test ends.

        @param path: of a Unix socket; else a port of this machine.
        @return: the port.
        """
        server = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        server.bind(path or ("127.0.0.1", 0))
        server.listen()

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 5)
        self.addCleanup(server.close)
        self.addCleanup(server.shutdown, socket.SHUT_RDWR)
        return 0 if path else int(server.getsockname()[1])
