"""C{llmproxy check}."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.tokenizer import missing
from llmproxy.cli.check import command
from tests.config.test_upstreamschema import ISSUE

from ..tables import row

EXAMPLE = str(Path(__file__).parents[2] / "config" / "apis.yaml")


class CheckTests(SynchronousTestCase):
    def test_shows_what_would_be_served(self) -> None:
        """Each API with its paths, its address, the place of its key and what may be asked."""
        result = CliRunner().invoke(command, [EXAMPLE])
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("openai: / and /openai/ -> https://api.openai.com, key in header Authorization", result.output)
        self.assertIn("groq: /groq/ -> https://api.groq.com/openai", result.output)
        self.assertIn("gemini: /gemini/", result.output)
        self.assertIn("/v1/chat/completions", result.output)
        self.assertTrue(result.output.endswith(": ok\n"))

    def test_restrictions(self) -> None:
        """What holds where, what a star in a path means, what is left unchecked, and what a whitelist closes."""
        path = self.mktemp()
        Path(path).write_text(
            "default_api: a\napis:\n  a:\n    base_url: https://a.example\n    allowed_methods: [GET]\n"
            "    allowed_endpoints: [/v1beta/models/gemini-*, /v1/uploads, /v1/images, /v1/uploads/x]\n"
            "    param_whitelist: {model: [gemini-*], /v1/images: {size: 1x1}}\n"
            "    unchecked_endpoints: [/v1/uploads/x]\n"
        )
        output = CliRunner().invoke(command, [path]).output
        for line in (
            "/v1beta/models/gemini-*: each * is any text within its segment",
            "model: gemini-*",
            "model at /v1/images: gemini-*",
            "size at /v1/images: 1x1",
            "/v1/uploads/x: unchecked, any parameter can be sent there",
            "/v1/uploads: refused, no upload there can be checked for its model (unchecked_endpoints allows it)",
        ):
            self.assertIn(f"\n  {line}\n", output)
        self.assertNotIn("/v1/uploads/x: refused", output)

    def test_own_paths(self) -> None:
        """Which of the proxy's own paths an API takes, and which of an API's nobody reaches."""
        path = self.mktemp()
        Path(path).write_text(
            "default_api: a\napis:\n"
            "  a: {base_url: https://a.example, allowed_methods: [GET], "
            "allowed_endpoints: [/v1, /usage, /metrics/prometheus, /health*, /manage/x]}\n"
            "  live: {base_url: https://b.example, allowed_methods: [GET], allowed_endpoints: [/v1, /ready]}\n"
        )
        output = CliRunner().invoke(command, [path]).output
        for line in (
            "/usage is this API's: what the proxy has there itself is not served",
            "/metrics/prometheus is this API's: what the proxy has there itself is not served",
            "/manage/x: not reached at / where management is served, only at /a/manage/x",
            "/live is this API: what the proxy has there itself is not served",
        ):
            self.assertIn(f"\n  {line}\n", output)
        for word in ("/health* is", "/ready is", "/v1 is"):
            self.assertNotIn(word, output)

    def test_upstreams(self) -> None:
        """Each place in the order in which it is asked, with what is its own; what is tried again; never a value."""
        path = self.mktemp()
        Path(path).write_text(ISSUE.replace("api_version", "headers: {X-Team: canary}, region: eu, api_version"))
        output = CliRunner().invoke(command, [path]).output
        for line in (
            "openai: / and /openai/ -> 2 upstreams (peak_ewma), errors in dialect openai",
            "  main: https://api.openai.com, key in header Authorization, priority 1, weight 3",
            "  azure: https://x.openai.azure.com, key in header api-key, priority 2, weight 1, "
            "keys of projects for azure, eu, with X-Team, api-version of the query added",
            "  retries: 2 attempts at most, after no connection or 429, 500, 502, 503, 504, 529; "
            "bodies up to 4194304 bytes; 20% of the requests",
            "  fallback: openrouter",
            "openrouter: /openrouter/ -> https://openrouter.ai/api, key in header Authorization, "
            "errors in dialect openai",
        ):
            self.assertIn(f"{line}\n", output)
        self.assertNotIn("canary", output)

    def test_meter(self) -> None:
        """What a meter is asked for beside reading, and whether it can be had."""
        for said, expected in (
            ("{include_usage: inject}", "usage of streamed chats is asked for"),
            ("{usage_trailer: true}", "follows answers as a trailer"),
            ("{estimate: true}", "stays so: " if missing() else "does not say is estimated"),
        ):
            path = self.mktemp()
            api = "{base_url: 'https://a.example', allowed_endpoints: [/v1], allowed_methods: [GET]"
            Path(path).write_text(f"default_api: a\napis:\n  a: {api}, meter: {said}}}\n")
            self.assertIn(expected, CliRunner().invoke(command, [path]).output, said)

    def test_attribution(self) -> None:
        """Which tags may be used by whom, what is hashed, and where nothing is noted; nothing where all is usual."""
        path = self.mktemp()
        api = "  a: {{base_url: https://a.example, allowed_methods: [GET], {}, allowed_endpoints: [/v1]}}"
        for said, lines in (
            ("dialect: proxy", []),
            ("attribution: off", ["attribution: off, nothing that requests say of themselves is noted"]),
            (
                "attribution: {tags: [team, feature], project_tags: {search: [stage]}, hash: [user, session]}",
                ["tags that may be used: feature, team; search: stage too", "kept as hashes: session, user"],
            ),
            ("attribution: {tags: []}", ["tags that may be used: none"]),
        ):
            Path(path).write_text(f"default_api: a\napis:\n{api.format(said)}\n")
            result = CliRunner().invoke(command, [path])
            self.assertEqual(result.exit_code, 0, result.output)
            found = [line.strip() for line in result.output.splitlines() if line.startswith("  ")]
            self.assertEqual(found[1:], lines, said)

    def test_redis(self) -> None:
        """It is said where machines count together, what is wrong there, and what holds without."""
        api = "default_api: a\napis: {a: {base_url: http://a, allowed_methods: [POST], allowed_endpoints: [/v1]}}\n"
        nowhere = "unix:///nowhere/redis.sock"
        warning = f"warning: redis: {nowhere}: cannot be reached: No such file or directory"
        together = f"redis: machines count limits together in {nowhere}"
        limits = "usage_limits: {defaults: {rpm_limit: 1}}\n"
        alone = "redis: none, so that rates and requests at once hold for each machine by itself; "
        leased = alone + "budgets for all that use the same database, by leases in it"
        apart = alone + "so do budgets (budget_leases: false)"
        path = self.mktemp()
        for said, env, lines in (
            ("", {}, []),
            (limits, {}, [leased]),
            (limits.replace("}}", "}, budget_leases: no}"), {}, [apart]),
            (f"redis: {{url: '{nowhere}'}}\n", {}, [together, warning]),
            (f"redis: {{url: 'redis://127.0.0.1:1'}}\n{limits}", {"REDIS_URL": nowhere}, [together, warning]),
        ):
            Path(path).write_text(said + api)
            result = CliRunner().invoke(command, [path], env=env)
            self.assertEqual(result.exit_code, 0, result.output)
            self.assertEqual([line for line in result.output.splitlines() if "redis:" in line], lines, said)
        result = CliRunner().invoke(command, [path], env={"REDIS_URL": "http://:s3cret@h"})
        self.assertEqual(result.exit_code, 1)
        self.assertIn("REDIS_URL: expected a URL such as redis://host:6379/0", result.output)
        self.assertNotIn("s3cret", result.output)

    def test_usage_limits(self) -> None:
        """The limits that the example shows hold as they stand there, and are said for people."""
        shown = Path(EXAMPLE).read_text()
        begin = shown.index("# usage_limits:")
        block = shown[begin : shown.index("\n\n", begin)]
        own = "".join(f"{line[2:]}\n" for line in block.splitlines())
        path = self.mktemp()
        Path(path).write_text(own + shown)
        result = CliRunner().invoke(command, [path])
        self.assertEqual(result.exit_code, 0, result.output)
        for expected in (
            "usage_limits of every token that says nothing else: rpm_limit 600, max_parallel_requests 50\n",
            "  tpm_limit 200000, per project (api openai, model o3*)\n",
            "  max_budget 20, budget_duration 1mo, per tag:customer\n",
            "  rpm_limit 60, per address (requests without a good token)\n",
            "  budgets go by the calendar of UTC; without the store of limits: local\n",
            "  bodies of requests that meet a limit of tokens",
            "overload: 5000 exchanges at once in each process, 200 more wait for up to 2 s, then 503\n",
        ):
            self.assertIn(expected, result.output)

    def test_unread(self) -> None:
        """With a limit of tokens or money it is said of which APIs no usage is read."""
        words = "  what answers of a, b use is not read: each counts as many tokens as were reserved\n"
        for limit, meter, is_said in (
            ("tpm_limit: 100", "off", True),
            ("max_budget: '5'", "off", True),
            ("tpm_limit: 100", "on", False),
            ("rpm_limit: 100", "off", False),
        ):
            apis = "".join(
                f"  {name}: {{base_url: 'https://a.example', allowed_endpoints: [/v1], allowed_methods: [POST], "
                f"meter: {meter}}}\n"
                for name in "ab"
            )
            path = self.mktemp()
            Path(path).write_text(f"default_api: a\napis:\n{apis}usage_limits: {{defaults: {{{limit}}}}}\n")
            result = CliRunner().invoke(command, [path])
            with row(limit, meter):
                self.assertEqual(result.exit_code, 0, result.output)
                self.assertEqual(words in result.output, is_said)

    def test_prices(self) -> None:
        """The prices that the example shows hold as they stand there, and what the book does not have is named."""
        shown = Path(EXAMPLE).read_text()
        begin = shown.index("# prices:")
        block = shown[begin : shown.index("\n\n", begin)]
        own = "".join(f"{line[2:]}\n" for line in block.splitlines())
        path = self.mktemp()
        Path(path).write_text(f"{own}  - {{like: openai/gpt-nobody}}\n{shown}")
        result = CliRunner().invoke(command, [path])
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("\nprices, of which the first that matches holds, and else genai-prices-", result.output)
        for line in (
            "gpt-4o-mini* of openai: input 0.15, cached_input 0.075, output 0.60 USD",
            "gemini-2.5-pro of gemini: input 1.25, output 10 USD; above 200000 input tokens input 2.5, output 15",
            "* of openai: like openai, times 0.9",
            "prod-chat of azure: like azure/gpt-4o",
            "* of every API: like openai/gpt-nobody (the book has no such model: its cost is not known)",
        ):
            self.assertIn(f"\n  {line}\n", result.output)

    def test_ledger(self) -> None:
        """Where records wait, and what is lost and kept of them, stated or not."""
        shown = Path(EXAMPLE).read_text()
        for own, expected in (
            (
                "",
                "beside the file of SQLite, else ./data/ledger; a loss of power may lose 1 s; single records are",
            ),
            (
                "ledger: {directory: /var/lib/l, fsync: 0, keep_records: 0, most_waiting: 16MiB}\n",
                "/var/lib/l; a loss of power may lose what the operating system has not written; single records are "
                "kept for ever, sums for ever; 16 MiB of files may wait",
            ),
            ("ledger: off\n", "off, exchanges leave no records"),
        ):
            path = self.mktemp()
            Path(path).write_text(own + shown)
            with row(self, own):
                self.assertIn(f"\nledger: {expected}", CliRunner().invoke(command, [path]).output)

    def test_tells_all_problems(self) -> None:
        """Every problem is a line on stderr, and the status is 1."""
        path = self.mktemp()
        Path(path).write_text("default_api: a\napis:\n  a: {base_url: nope, dialect: no}\n")
        result = CliRunner().invoke(command, [path])
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertEqual(len(result.stderr.splitlines()), 4)
        self.assertTrue(all(line.startswith(f"{path}:3:") for line in result.stderr.splitlines()))

    def test_keys(self) -> None:
        """Whether an API takes a key, and who may use one of its own; never the key."""
        path, rest = self.mktemp(), "allowed_endpoints: [/v1], allowed_methods: [GET]"
        Path(path).write_text(
            f"default_api: a\napis:\n  a: {{base_url: http://a, {rest}, auth: none}}\n"
            f"  b: {{base_url: http://b, {rest}, key: '${{KEY}}', own_key_for: all}}\n"
            f"  c: {{base_url: http://c, {rest}, key: '${{KEY}}', own_key_for: [search, ads]}}\n"
            f"  d: {{base_url: http://d, {rest}, key: '${{KEY}}'}}\n"
        )
        result = CliRunner().invoke(command, [path], env={"KEY": "sk-canary"})
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("a: / and /a/ -> http://a, no key,", result.output)
        for words in ("for every project that has none for it", "for ads, search", "can be used by no project"):
            self.assertIn(words, result.output)
        self.assertNotIn("canary", result.output)

    def test_another_default(self) -> None:
        """What would be served with DEFAULT_API_PROVIDER set can be seen."""
        result = CliRunner().invoke(command, [EXAMPLE, "--default-api", "groq"])
        self.assertIn("groq: / and /groq/", result.output)
        self.assertEqual(CliRunner().invoke(command, [EXAMPLE, "--default-api", "x"]).exit_code, 1)
