"""Tests for L{llmproxy.core.pathmodels}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.pathmodels import models_allowed, named_below
from llmproxy.providers.registry import PLACES

from ..properties import examples

OK = {"ok", "org/ok", "ok:0", "ft:gpt-4o:acme::7pXy", "arn:aws:bedrock:us-east-1:1:inference-profile/us.ok"}
WHERE = (
    "/openai/deployments/{}/chat/completions",
    "/v1beta/models/{}:generateContent",
    "/v1beta/models/{}:streamGenerateContent",
    "/v1beta/models/{}",
    "/v1/models/{}",
    "/v1/engines/{}/completions",
    "/model/{}/invoke",
    "/model/{}/converse-stream",
    "/v1/projects/p/locations/l/publishers/google/models/{}:generateContent",
    "/v1/projects/p/locations/l/endpoints/{}:predict",
    "/endpoints/{}/invocations",
    "/client/v4/accounts/a/ai/run/{}",
    "/v1/fine_tuning/checkpoints/{}/permissions",
    "/v1beta/tunedModels/{}:generateContent",
)
DISGUISES = (
    "/openai/Deployments/{}/chat/completions",
    "/openai//deployments//{}/chat/completions",
    "/openai/deployments/%65vil/chat/completions",
    "/openai/%64eployments/{}/chat/completions",
    "/openai%2Fdeployments%2F{}/chat/completions",
    "/openai%252Fdeployments%252F{}/chat/completions",
    "/openai/deployments;v=1/{}/chat/completions",
    "/openai/deployments/{};ok/chat/completions",
    "/openai\\deployments\\{}/chat/completions",
    "/v1beta/models/{}%3AgenerateContent",
    "/v1beta/MODELS/{}:generateContent",
    "/v1beta/models/%2565vil:generateContent",
    "/v1beta/models/{}:generateContent/ok",
)


def refused(path: str) -> str | None:
    return models_allowed(path.encode(), OK.__contains__, PLACES)


class ModelsAllowedTests(SynchronousTestCase):
    def test_where(self) -> None:
        """Wherever an API carries the model in its path, it is found."""
        for where in WHERE:
            self.assertEqual(refused(where.format("evil")), "evil", where)
            self.assertIsNone(refused(where.format("ok")), where)

    def test_disguises(self) -> None:
        """However it is written, so that some server reads it."""
        for where in DISGUISES:
            self.assertIsNotNone(refused(where.format("evil")), where)

    def test_names(self) -> None:
        """A name may hold slashes, encoded or not, and colons."""
        for path in (
            "/v1/models/org/ok",
            "/v1/models/org%2Fok",
            "/v1/models/ft:gpt-4o:acme::7pXy",
            "/v1/models/ft%3Agpt-4o%3Aacme%3A%3A7pXy",
            "/model/ok:0/invoke",
            "/model/ok%3A0/invoke",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.ok/converse",
            "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
        ):
            self.assertIsNone(refused(path), path)
        for path in ("/v1/models/ok:evil", "/v1/models/ok:latest", "/model/ok:generateContent/invoke"):
            self.assertIsNotNone(refused(path), path)
        for path in ("/v1/models/org/evil", "/v1/models/org", "/model/evil:0/invoke", "/v1/models/ft:evil"):
            self.assertIsNotNone(refused(path), path)

    def test_none(self) -> None:
        """A path that names no model is nobody's business."""
        for path in ("/", "/v1/models", "/v1/models/", "/v1/chat/completions", "/openai/deployments", "/v1/runs/x"):
            self.assertIsNone(refused(path), path)

    @given(
        st.sampled_from(WHERE),
        st.lists(st.sampled_from(["evil", "ok", "/", "%2F", ";", ":x", "%65", "%25", "models", "."]), max_size=6),
    )
    @settings(max_examples=examples(300), deadline=None)
    def test_never_evil_first(self, where: str, rest: list[str]) -> None:
        """Nothing that follows makes a name good that begins with what is not."""
        self.assertIsNotNone(refused(where.format("evil" + "".join(rest))))

    def test_below(self) -> None:
        """A segment is found in any reading of the path."""
        for path in (b"/v1/uploads", b"/v1/Uploads/u/parts", b"/v1%2Fuploads", b"/v1/%75ploads;x"):
            self.assertTrue(named_below(path, frozenset({"uploads"})), path)
        self.assertFalse(named_below(b"/v1/files/uploads-x", frozenset({"uploads"})))
