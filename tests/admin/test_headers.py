"""What a browser may do with a page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.headers import COMMON, POLICY, UNKEPT


class HeaderTests(SynchronousTestCase):
    def test_policy(self) -> None:
        """Nothing inline, nothing of others, no frames."""
        said = dict(part.strip().split(" ", 1) for part in POLICY.decode().split(";"))
        self.assertEqual(said["default-src"], "'none'")
        for name in ("script-src", "style-src", "connect-src", "form-action"):
            self.assertEqual(said[name], "'self'", name)
        for name in ("frame-ancestors", "base-uri"):
            self.assertEqual(said[name], "'none'", name)
        self.assertNotIn(b"unsafe", POLICY)

    def test_kept_by_nobody(self) -> None:
        """No page stays anywhere, and none says where it was to another site."""
        fields = dict((*COMMON, *UNKEPT))
        self.assertEqual(fields[b"Cache-Control"], b"no-store")
        self.assertEqual(fields[b"Referrer-Policy"], b"same-origin")
