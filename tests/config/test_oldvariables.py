"""Each variable that the Go program has: it does something here, stands for an option, or is answered by advice."""

from __future__ import annotations

from typing import Any

import click
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.config.environment import read_environment
from llmproxy.config.oldvariables import ADVICE, NOT_EFFECTIVE, OF_COMMANDS, advice_for
from llmproxy.config.variables import EFFECTIVE

TOKEN = "3f9c1e7a-0123-4567-89ab-cdef01234567"

SERVER = """
MANAGEMENT_TOKEN LISTEN_ADDR REQUEST_TIMEOUT MAX_REQUEST_SIZE MAX_CONCURRENT_REQUESTS API_ENV DATABASE_PATH
DATABASE_POOL_SIZE DATABASE_MAX_IDLE_CONNS DATABASE_CONN_MAX_LIFETIME DB_DRIVER DATABASE_URL API_CONFIG_PATH
DEFAULT_API_PROVIDER OPENAI_API_URL ENABLE_STREAMING ADMIN_UI_PATH ADMIN_UI_LISTEN_ADDR ADMIN_UI_API_BASE_URL
ADMIN_UI_ENABLED ADMIN_UI_TEMPLATE_DIR LOG_LEVEL LOG_FORMAT LOG_FILE AUDIT_ENABLED AUDIT_LOG_FILE AUDIT_CREATE_DIR
AUDIT_STORE_IN_DB OBSERVABILITY_ENABLED OBSERVABILITY_BUFFER_SIZE OBSERVABILITY_MAX_REQUEST_BODY_BYTES
OBSERVABILITY_MAX_RESPONSE_BODY_BYTES CORS_ALLOWED_ORIGINS CORS_ALLOWED_METHODS CORS_ALLOWED_HEADERS CORS_MAX_AGE
GLOBAL_RATE_LIMIT IP_RATE_LIMIT DISTRIBUTED_RATE_LIMIT_ENABLED DISTRIBUTED_RATE_LIMIT_PREFIX
DISTRIBUTED_RATE_LIMIT_KEY_SECRET DISTRIBUTED_RATE_LIMIT_WINDOW DISTRIBUTED_RATE_LIMIT_MAX
DISTRIBUTED_RATE_LIMIT_FALLBACK ENABLE_METRICS METRICS_PATH TOKEN_CLEANUP_INTERVAL LLM_PROXY_ENFORCE_PROJECT_ACTIVE
LLM_PROXY_ACTIVE_CACHE_TTL LLM_PROXY_ACTIVE_CACHE_MAX LLM_PROXY_API_KEY_CACHE_TTL LLM_PROXY_API_KEY_CACHE_MAX
LLM_PROXY_EVENT_BUS REDIS_ADDR REDIS_DB REDIS_STREAM_KEY REDIS_CONSUMER_GROUP REDIS_CONSUMER_NAME REDIS_STREAM_MAX_LEN
REDIS_STREAM_BLOCK_TIME REDIS_STREAM_CLAIM_TIME REDIS_STREAM_BATCH_SIZE CACHE_STATS_BUFFER_SIZE USAGE_STATS_BUFFER_SIZE
HTTP_CACHE_ENABLED HTTP_CACHE_BACKEND HTTP_CACHE_STREAM_RESPONSES REDIS_CACHE_URL REDIS_CACHE_KEY_PREFIX
REDIS_CACHE_POOL_SIZE REDIS_CACHE_TIMEOUT REDIS_SCAN_COUNT ENCRYPTION_KEY REQUIRE_ENCRYPTION_KEY LOG_BINARY_RESPONSES
LLM_PROXY_DISPATCHER_VERBOSE LLM_PROXY_API_KEY FILE_EVENT_LOG
""".split()
"""Those that its server and its dispatcher read."""

COMMANDS = """
DEBUG ENV DAEMON PID_FILE CONFIG OPENAI_API_KEY INTERACTIVE PROJECT DURATION SKIP_PROJECT PROXY_URL PROXY_TOKEN MODEL
TEMPERATURE MAX_TOKENS SYSTEM_PROMPT VERBOSE USE_STREAMING DISPATCHER_SERVICE DISPATCHER_ENDPOINT DISPATCHER_BUFFER
DISPATCHER_BATCH_SIZE DISPATCHER_DETACH MANAGEMENT_API_BASE_URL EVENTDISPATCHER_FILE EVENTDISPATCHER_BUFFER
""".split()
"""Those that flags of its commands stand above."""

DOCUMENTED = """
ENABLE_TLS TLS_CERT_FILE TLS_KEY_FILE TLS_MIN_VERSION WORKER_POOL_SIZE LOG_MAX_SIZE_MB LOG_MAX_BACKUPS MASK_API_KEYS
VALIDATE_API_KEY_FORMAT DEFAULT_TOKEN_LIFETIME DEFAULT_TOKEN_REQUEST_LIMIT LLM_PROXY_ENDPOINT REDIS_PASSWORD
HTTP_CACHE_DEFAULT_TTL HTTP_CACHE_MAX_OBJECT_BYTES PORT
""".split()
"""Those that its documents name and nothing reads."""


def parameter_of(words: str) -> Any:
    """The option of a command that the end of C{words} names."""
    *path, option = words.split()
    command: Any = cli
    for word in path:
        command = command.get_command(click.Context(command), word)
    (found,) = (each for each in command.params if option in each.opts)
    return found


class WholeListTests(SynchronousTestCase):
    def test_each_has_a_place(self) -> None:
        """No variable of the original is unknown here."""
        known = EFFECTIVE.keys() | NOT_EFFECTIVE | OF_COMMANDS.keys()
        self.assertEqual({*SERVER, *COMMANDS, *DOCUMENTED} - known, set())
        self.assertEqual(NOT_EFFECTIVE - {*SERVER, *COMMANDS, *DOCUMENTED}, set())

    def test_lines(self) -> None:
        """What means nothing here is answered by one line that names it, and nothing of its value."""
        for name in sorted(NOT_EFFECTIVE):
            value = "false" if name in ("ENABLE_STREAMING", "MASK_API_KEYS") else "v4lue"
            (line,) = read_environment(
                {"MANAGEMENT_TOKEN": TOKEN, "ENCRYPTION_KEY": "A" * 43 + "=", name: value}, lambda path: ""
            ).warnings
            self.assertTrue(line.startswith(f"{name}: without effect here; "), line)
            self.assertNotIn("v4lue", line)

    def test_options(self) -> None:
        """What stands for an option is read where click reads it, or where its command does."""
        elsewhere = {"DEBUG", "OPENAI_API_KEY", "PROXY_URL", "PROXY_TOKEN", "MANAGEMENT_API_BASE_URL"}
        for name, words in OF_COMMANDS.items():
            found = parameter_of(words)
            if name not in elsewhere:
                self.assertEqual(found.envvar, name, words)


class AdviceTests(SynchronousTestCase):
    def test_what_is_so_anyway(self) -> None:
        """Nothing is said of a variable that asks for what is done anyway."""
        env = {"ENABLE_STREAMING": "true", "MASK_API_KEYS": "1", "LLM_PROXY_ENFORCE_PROJECT_ACTIVE": "T"}
        self.assertEqual(list(advice_for({**env, "DISTRIBUTED_RATE_LIMIT_ENABLED": "false"})), [])
        self.assertEqual(len(list(advice_for(dict.fromkeys(env, "false")))), 3)
        self.assertEqual(len(list(advice_for({"DISTRIBUTED_RATE_LIMIT_ENABLED": "true"}))), 1)
        self.assertEqual(len(list(advice_for({"MASK_API_KEYS": "perhaps"}))), 1)

    def test_one_line_for_some(self) -> None:
        """Variables with the same answer share a line."""
        env = {"CORS_MAX_AGE": "86400", "CORS_ALLOWED_ORIGINS": "*", "API_ENV": " "}
        (line,) = advice_for(env)
        self.assertTrue(line.startswith("CORS_ALLOWED_ORIGINS, CORS_MAX_AGE: "), line)

    def test_each_once(self) -> None:
        """No name stands in two lines."""
        names = [name for each in ADVICE for name in each.names]
        self.assertEqual(len(names), len(set(names)))
