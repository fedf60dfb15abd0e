"""Tests for L{llmproxy.cli.benchmark_options}."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.values import Target
from llmproxy.cli.benchmark import command
from llmproxy.cli.benchmark_options import notes, plan_of, settings_of, targets_of

from ..tables import row

GATEWAY = ("--url", "http://g:8080", "--direct", "http://d:9000")


def parsed(*arguments: str) -> dict[str, Any]:
    """The options as the command gets them."""
    return command.make_context("benchmark", list(arguments)).params


class SettingsTests(SynchronousTestCase):
    def test_usual(self) -> None:
        """Without a word: everything, over 64 connections and 2,000 streams."""
        settings, plan = settings_of(parsed()), plan_of(parsed())
        self.assertEqual((settings.connections, settings.streams, settings.duration), (64, 2000, 5.0))
        self.assertEqual(plan.kinds, ("closed", "open", "bounds", "streams"))
        self.assertEqual(plan.bounds_ms, (1.0, 5.0, 10.0, 50.0))

    def test_quick(self) -> None:
        """Quick is less of everything that was not said."""
        settings = settings_of(parsed("--quick", "--streams", "700"))
        self.assertLess(settings.duration, 5.0)
        self.assertEqual(settings.streams, 700)

    def test_requests(self) -> None:
        """The reference's -r and -c: so many requests over so many connections, and nothing else."""
        options = parsed("-r", "100", "-c", "4")
        settings = settings_of(options)
        self.assertEqual((settings.requests, settings.connections, plan_of(options).kinds), (100, 4, ("closed",)))

    def test_body(self) -> None:
        """The model goes into the body, or the body is a file's, which streams if it is a JSON object."""
        settings = settings_of(parsed("--model", "m"))
        self.assertEqual(json.loads(settings.payload)["model"], "m")
        self.assertTrue(json.loads(settings.stream_payload)["stream"])
        path = self.mktemp()
        Path(path).write_text("plain")
        self.assertRaises(click.UsageError, settings_of, parsed("--body", path))
        self.assertEqual(settings_of(parsed("--body", path, "--run", "closed")).payload, b"plain")

    def test_get(self) -> None:
        """A GET has no body, and no streams unless they are asked for."""
        options = parsed("--method", "GET")
        self.assertEqual((settings_of(options).payload, "streams" in plan_of(options).kinds), (b"", False))
        self.assertRaises(click.UsageError, settings_of, parsed("--method", "GET", "--run", "streams"))


class TargetTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(os, "environ", {"PROXY_TOKEN": "usual", "OTHER": "other", "EMPTY": ""})

    def targets(self, *more: str) -> list[Target]:
        with ExitStack() as running:
            return targets_of(running, parsed(*GATEWAY, *more))

    def test_token(self) -> None:
        """The gateway's token goes to the gateway, and to nobody else."""
        direct, gateway = self.targets()
        self.assertEqual((direct.fields, gateway.fields), ((), (("Authorization", "Bearer usual"),)))
        self.assertEqual(gateway.url, "http://g:8080/v1/chat/completions")

    def test_other_tokens(self) -> None:
        """It may stand in another variable or a file; what is behind the gateway has one of its own."""
        path = self.mktemp()
        Path(path).write_text("kept\n")
        direct, gateway = self.targets("--token-file", path, "--direct-token-env", "OTHER", "-H", "x-api-key: {token}")
        self.assertEqual((direct.fields, gateway.fields), ((("x-api-key", "other"),), (("x-api-key", "kept"),)))

    def test_no_token_where_one_was_named(self) -> None:
        """A variable that was named must hold one."""
        for name in ("EMPTY", "MISSING"):
            with row(name):
                error = self.assertRaises(click.UsageError, self.targets, "--token-env", name)
            self.assertIn(name, str(error))

    def test_path(self) -> None:
        """A path is added to both addresses."""
        direct, gateway = self.targets("--path", "/v1/messages")
        self.assertEqual((direct.shown, gateway.shown), ("http://d:9000/v1/messages", "http://g:8080/v1/messages"))

    def test_cache(self) -> None:
        """The reference's --cache asks for what may be cached."""
        for target in self.targets("--cache", "--cache-ttl", "60"):
            self.assertIn(("Cache-Control", "public, max-age=60"), target.fields)

    def test_pid(self) -> None:
        """Processes that are named are the gateway's."""
        direct, gateway = self.targets("--pid", "12", "--pid", "13")
        self.assertEqual((direct.pids, gateway.pids), ((), (12, 13)))

    def test_without_direct(self) -> None:
        """Beside a gateway alone stands an upstream of our own, and the report says what that means."""
        self.assertEqual(len(notes(parsed("--url", "http://g"))), 1)
        self.assertEqual(notes(parsed(*GATEWAY)), [])
        self.assertEqual(notes(parsed()), [])
