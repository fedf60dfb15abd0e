"""No secret in a record, a log or an error."""

from __future__ import annotations

import time
import timeit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.masking import MASKED, Masking, mask
from llmproxy.core.tokens import generate
from llmproxy.message import Attribution, Record
from llmproxy.usage import Usage

from ..recordfields import record_fields
from ..tables import row


class MaskingTests(SynchronousTestCase):
    def test_names(self) -> None:
        """What stands in a field that is named for a secret is masked, however deep; counts and flags are not."""
        found = Masking().values(
            {
                "api_key": "canary",
                "changed": {"API-Key": "canary", "name": "new"},
                "tokens": ["canary", "canary"],
                "api_keys": {"azure": "canary", "openai": ["canary", "canary"], "gemini": None},
                "api_key_provided": True,
                "tokens_revoked": 3,
                "cache_key": "abc",
                "token_id": "t-1",
            }
        )
        self.assertEqual(
            found,
            {
                "api_key": MASKED,
                "changed": {"API-Key": MASKED, "name": "new"},
                "tokens": [MASKED, MASKED],
                "api_keys": {"azure": MASKED, "openai": [MASKED, MASKED], "gemini": None},
                "api_key_provided": True,
                "tokens_revoked": 3,
                "cache_key": "abc",
                "token_id": "t-1",
            },
        )

    def test_looks(self) -> None:
        """A secret where none belongs is masked, and what stands around it is kept."""
        for text, shown in (
            ("/manage/tokens/sk-WfppfE41yy3GctEDqEuaIw", f"/manage/tokens/{MASKED}"),
            ("sk-ant-api03-abcdef_ghi x", f"{MASKED} x"),
            ("curl -H 'Authorization: Bearer canary-1'", f"curl -H 'Authorization: Bearer {MASKED}"),
            ("/v1/x?key=canary&alt=sse", f"/v1/x?key={MASKED}&alt=sse"),
            ("AIzaSyCanaryCanary12", MASKED),
            ("by llmproxy_admin_0123456789abcdef", f"by {MASKED}"),
            ("by llmproxy_session_0123456789abcdef", f"by {MASKED}"),
            ("eyJhbGciOiJIUzI1.eyJzdWIi.c2ln", MASKED),
            ("/v1/sk%2DWfppfE41yy3GctEDqEuaIw/x", f"/v1/{MASKED}/x"),
            ("/v1/%2573k-WfppfE41yy3GctEDqEuaIw", f"/v1/{MASKED}"),
            ("/v1/a%2Fb%20c", "/v1/a%2Fb%20c"),
            ("req_sk-WfppfE41yy3GctEDqEuaIw", f"req_{MASKED}"),
            ("programsk-WfppfE41yy3GctEDqEuaIw", f"program{MASKED}"),
            (
                "/v1/tasks/task-550e8400-e29b-41d4-a716-446655440000",
                "/v1/tasks/task-550e8400-e29b-41d4-a716-446655440000",
            ),
            ("gsk_0123456789abcdefghij", MASKED),
            ("xai-0123456789abcdefghij", MASKED),
            ("hf_0123456789abcdefghijKLMN", MASKED),
            ("nvapi-0123456789abcdefghijKLMN", MASKED),
            ("pplx-0123456789abcdefghijKLMN", MASKED),
            ("ya29.a0AfH6SMC0123456789", MASKED),
            ("ghp_0123456789abcdefghijKLMN0123", MASKED),
            ("AKIAIOSFODNN7EXAMPLE", MASKED),
            ("eyJhbGciOiJIUzI1NiJ9", MASKED),
            ("gpt-4o-mini-2024-07-18 claude-3-5-sonnet-latest", "gpt-4o-mini-2024-07-18 claude-3-5-sonnet-latest"),
            (
                "ft:gpt-4o-mini:acme::AbC12345 text-embedding-3-small",
                "ft:gpt-4o-mini:acme::AbC12345 text-embedding-3-small",
            ),
            (
                "chatcmpl-9abcDEF0123456789abcdefgh file-abc123DEF456",
                "chatcmpl-9abcDEF0123456789abcdefgh file-abc123DEF456",
            ),
            ("task-scheduler sk-abcd**** 7be1c9a0", "task-scheduler sk-abcd**** 7be1c9a0"),
        ):
            self.assertEqual(Masking().text(text), shown, (text, shown))

    def test_known(self) -> None:
        """The secrets of this process are masked wherever they stand; a short word is not taken for one."""
        masking = Masking(["management-canary", "a+b*canary", "abc", ""])
        self.assertEqual(masking.text("id management-canary/a+b*canary abc"), f"id {MASKED}/{MASKED} abc")
        self.assertEqual(masking.values({"management-canary": ["x management-canary"]}), {MASKED: [f"x {MASKED}"]})

    @given(st.binary(min_size=16, max_size=16), st.text(max_size=8), st.text(max_size=8))
    def test_every_token(self, random: bytes, before: str, after: str) -> None:
        """No token of ours stays, whatever stands around it."""
        token = generate(lambda size: random)
        if any(character.isupper() for character in token):
            self.assertNotIn(token, mask(before + token + after))
        self.assertNotIn(token, mask(f"{before} {token}{after}"))

    def test_linear(self) -> None:
        """No text makes the mask slower than its length does: sixteen times as long takes no hundred times as long."""
        for piece in ("eyJ-", "sk-", "sk-a-A", "bearer ", "basic aaaaaaa ", "?key=", "%25", "%", "asksk-aaa", "ya29.a"):
            seconds = []
            for size in (1_000, 16_000):
                text = piece * (size // len(piece))
                timer = timeit.Timer(lambda text=text: mask(text), timer=time.thread_time)  # type: ignore[misc]
                seconds.append(min(timer.repeat(number=1, repeat=3)))
            self.assertLess(seconds[1], seconds[0] * 100, piece)

    def test_record(self) -> None:
        """Every text of a record is masked, one that is added later too, but for those that the proxy writes."""
        secret = "sk-WfppfE41yy3GctEDqEuaIw"
        texts = [name for name, kind in record_fields().items() if kind in ("str", "str | None")]
        record = Record(secret, secret, secret, secret, 0.0, details={"model": secret, "api_key": "canary", "n": 1})
        for name in texts:
            setattr(record, name, secret)
        raw = {"prompt_tokens": 1, "details": {"cached_tokens": 2, "tier": "flex", secret: [3, secret, None]}}
        masked_raw = {"prompt_tokens": 1, "details": {"cached_tokens": 2, "tier": "flex", MASKED: [3, MASKED, None]}}
        record.usage = record.saved = Usage(input_tokens=1, served_model=secret, raw=raw)
        record.attribution = Attribution(secret, secret, "curl", {"team": secret}, {"k": secret, "api_key": "canary"})
        Masking().record(record)
        usage = Usage(input_tokens=1, served_model=MASKED, raw=masked_raw)
        self.assertEqual([record.usage, record.saved], [usage, usage])
        asked = Attribution(MASKED, MASKED, "curl", {"team": MASKED}, {"k": MASKED, "api_key": MASKED})
        self.assertEqual(record.attribution, asked)
        left = {name for name in texts if secret in getattr(record, name)}
        ours = {"request_id", "api", "endpoint", "project_id", "token_id", "error_code", "cache", "cause"}
        ours |= {"provider", "book", "entry_id", "person_id"}
        self.assertEqual(left - ours, set())
        self.assertEqual(record.details, {"model": MASKED, "api_key": MASKED, "n": 1})

    def test_usage_of_numbers(self) -> None:
        """An object of numbers alone, as nearly all are, is the same one: nothing is made of it. Texts come in no way
        that is overlooked, nor do numbers that JSON cannot write."""
        record = Record("1", "POST", "/", "1.2.3.4", 0.0)
        for raw in ({"a": 1, "token": 2, "d": {"key": 1, "b": [1, 2]}, "e": {}}, {"a": 10**40}, {}):
            record.usage = Usage(raw=raw)
            Masking().record(record)
            with row(self, raw):
                self.assertEqual(record.usage.raw, raw)
        secret = "sk-WfppfE41yy3GctEDqEuaIw"
        for said in (
            {"a": secret},
            {"a": [secret]},
            {"a": [1, secret]},
            {"a": [[{"b": secret}]]},
            {"a": {"b": [secret]}},
        ):
            record.usage = Usage(raw=said)
            Masking().record(record)
            with row(self, said):
                self.assertNotIn(secret, repr(record.usage.raw))

    def test_learned(self) -> None:
        """A secret that comes later is masked from then on, in texts that are remembered too."""
        masking, record = Masking(), Record("id", "GET", "/canary-key", "", 0.0)
        self.assertEqual(masking.record(record).path, "/canary-key")
        masking.learn(["canary-key", "short"])
        self.assertEqual((masking.record(record).path, masking.text("short")), (f"/{MASKED}", "short"))


class ContentTests(SynchronousTestCase):
    """The fast way through what people write to each other finds what the other one finds."""

    SECRETS = (
        "sk-abcdef",
        "pk_abcdef",
        "gsk_abcdef0",
        "xai-abcdef",
        "llmproxy_admin_abcdef",
        "AIzaSyCanaryCanary",
        "ya29.canarycanary",
        "hf_abcdefghijklmnopqrst",
        "ghp_abcdefghijklmnopqrst",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJabcdefghijkl",
        "Bearer abc",
        "basic QUJDREVG",
        "/x?key=a",
        "x&token=abc",
        "api_key=abc",
        "sk%2Dabcdefgh",
        "Bearer%20abc",
        "known secret with spaces",
    )

    def test_secrets(self) -> None:
        """Each is masked, whatever stands around it."""
        masking = Masking(["known secret with spaces"])
        for secret in self.SECRETS:
            for text in (secret, f"say {secret} to them", f'{{"a":"{secret}"}}', f"50% of k-means,\n{secret}\n"):
                with row(text):
                    self.assertIn(MASKED, masking.content(text))
                    self.assertEqual(masking.content(text), masking.text(text))

    @given(
        st.lists(
            st.sampled_from(
                [*SECRETS, " ", "\n", "the", "fox-", "50%", "%2D", "=", "token", "sk", '"', ",", "ABCDEFGH"]
            ),
            max_size=12,
        )
    )
    def test_same(self, words: list[str]) -> None:
        """Whatever a text is made of, both show the same."""
        masking = Masking(["known secret with spaces"])
        text = "".join(words)
        self.assertEqual(masking.content(text), masking.text(text))
