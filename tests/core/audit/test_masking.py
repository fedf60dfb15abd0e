"""No secret in an audit record."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.masking import MASKED, Masking


class MaskingTests(SynchronousTestCase):
    def test_names(self) -> None:
        """What stands in a field that is named for a secret is masked, however deep; counts and flags are not."""
        found = Masking().values(
            {
                "api_key": "canary",
                "changed": {"API-Key": "canary", "name": "new"},
                "tokens": ["canary", "canary"],
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
            ("eyJhbGciOiJIUzI1.eyJzdWIi.c2ln", MASKED),
            ("task-scheduler sk-abcd**** 7be1c9a0", "task-scheduler sk-abcd**** 7be1c9a0"),
        ):
            self.assertEqual(Masking().text(text), shown)

    def test_known(self) -> None:
        """The secrets of this process are masked wherever they stand; a short word is not taken for one."""
        masking = Masking(["management-canary", "a+b*canary", "abc", ""])
        self.assertEqual(masking.text("id management-canary/a+b*canary abc"), f"id {MASKED}/{MASKED} abc")
        self.assertEqual(masking.values({"management-canary": ["x management-canary"]}), {MASKED: [f"x {MASKED}"]})
