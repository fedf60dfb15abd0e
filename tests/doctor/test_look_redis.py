"""A look at each Redis."""

from __future__ import annotations

import socket

import hiredis

from llmproxy.doctor.look_redis import clocks_of_redis, look_at_redis

from .subjects import SubjectTestCase

SERVER = b"# Server\r\nredis_version:7.2.4\r\n"
MEMORY = b"# Memory\r\nused_memory:1000\r\nmaxmemory:2000\r\nmaxmemory_policy:noeviction\r\n"


class Redis:
    """Answers as a Redis does that wants a password."""

    def __init__(self, password: str = "") -> None:
        self.password = password.encode()
        self.heard: list[list[bytes]] = []

    def __call__(self, connection: socket.socket) -> None:
        reader = hiredis.Reader()
        while data := connection.recv(4096):
            reader.feed(data)
            while (words := reader.gets()) is not False:
                self.heard.append(words)
                connection.sendall(self.answer(words))

    def answer(self, words: list[bytes]) -> bytes:
        name = words[0].upper()
        if name == b"AUTH":
            return b"+OK\r\n" if words[-1] == self.password else b"-WRONGPASS invalid username-password pair\r\n"
        if name == b"INFO":
            text = SERVER if words[1] == b"server" else MEMORY
            return b"$%d\r\n%s\r\n" % (len(text), text)
        if name == b"TIME":
            return b"*2\r\n$4\r\n5000\r\n$6\r\n500000\r\n"
        return b"+PONG\r\n"


class RedisTests(SubjectTestCase):
    def url(self, redis: Redis, login: str = "") -> str:
        return f"redis://{login}127.0.0.1:{self.served(redis)}/0"

    def test_said(self) -> None:
        """What it says of itself; it gets the password and two kinds of questions, no more."""
        redis = Redis("redis-pass-1")
        (found,) = look_at_redis(self.subject(env={"REDIS_URL": self.url(redis, ":redis-pass-1@")}))
        self.assertEqual((found.use, found.error, found.version, found.policy), ("limits", "", "7.2.4", "noeviction"))
        self.assertEqual((found.used, found.most), (1000, 2000))
        self.assertNotIn("redis-pass-1", repr(found))
        self.assertEqual({words[0].upper() for words in redis.heard}, {b"AUTH", b"PING", b"INFO"})

    def test_refused(self) -> None:
        """A wrong password, and nobody there."""
        env = {"REDIS_URL": self.url(Redis("right"), ":wrong-pass@")}
        self.assertIn("refuses: WRONGPASS", look_at_redis(self.subject(env=env))[0].error)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        env["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        self.assertIn("cannot be reached: Connection refused", look_at_redis(self.subject(env=env))[0].error)

    def test_sinks(self) -> None:
        """One of events has its own."""
        url = self.url(Redis())
        (found,) = look_at_redis(self.subject(f"sinks: [{{name: s, type: redis-streams, url: '{url}'}}]"))
        self.assertEqual((found.use, found.error), ("events", ""))

    def test_clock(self) -> None:
        """How far it is from ours; what is between question and answer is taken out."""
        env = {"REDIS_URL": self.url(Redis())}
        times = iter((4000.0, 4002.0))
        (skew,) = clocks_of_redis(self.subject(env=env), lambda: next(times))
        self.assertAlmostEqual(skew.ahead, 999.5)

    def test_none(self) -> None:
        self.assertEqual(look_at_redis(self.subject()), ())
