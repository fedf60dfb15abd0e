"""Rules of the endpoints of a batch, of tokens and projects."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.endpoints import Endpoints
from llmproxy.core.inspection.callerendpoints import EndpointRule
from llmproxy.limiterrors import NotPermitted

from ...tables import row


class RuleTests(SynchronousTestCase):
    def test_table(self) -> None:
        """By its path, wherever it is said to be; what can be read in two ways is not allowed."""
        rule = EndpointRule.of("the token 'ci'", Endpoints.compile(["/v1/embeddings", "/v1/batches"]))
        for said, allowed in (
            ("/v1/embeddings", True),
            ("https://api.openai.com/v1/embeddings?x=1", True),
            ("/v1/embeddings/x", True),
            ("/v1/embeddings-evil", False),
            ("/v1/chat/completions", False),
            ("/v1/embeddings/../chat/completions", False),
            ("/v1/%65mbeddings", True),
            ("v1/embeddings", False),
            ("", False),
            ("/v1/embeddings" + "/" * 2000, False),
            ("/v1/embeddings\0", False),
            ("/\ud800", False),
        ):
            with row(said[:40]):
                self.assertEqual(rule.allows(said), allowed)

    def test_refusal(self) -> None:
        error = EndpointRule.of("the token 'ci'", Endpoints.compile(["/v1/x"])).refusal("/v1/chat" * 100)
        assert isinstance(error, NotPermitted)
        self.assertEqual((error.status, error.code), (403, "endpoint_not_allowed"))
        self.assertTrue(
            error.description.endswith("..., which a batch calls, is not among endpoints of the token 'ci'")
        )
